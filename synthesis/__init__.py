"""A procedural street and the way from day to night."""
