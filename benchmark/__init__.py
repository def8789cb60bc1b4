"""The shared language of data and results, exact evaluation, and the runner that trains."""
