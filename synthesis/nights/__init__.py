"""One TOML file a named night."""
