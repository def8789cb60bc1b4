"""One TOML file a protocol."""
