"""One file a stage of the day-to-night chain."""
