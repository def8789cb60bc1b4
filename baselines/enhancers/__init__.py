"""One file an enhancer."""
