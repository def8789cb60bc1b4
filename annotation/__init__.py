"""From night video to a labelled set."""
