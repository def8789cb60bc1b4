"""One file a data set: a folder becomes a manifest."""
