"""From a day picture to a night picture of the same scene: one file a stage, every parameter a column of one table."""
