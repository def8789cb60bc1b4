"""Numbers of papers, as data, and where they stand."""
