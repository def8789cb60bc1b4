"""A procedural world with true day and true night."""
