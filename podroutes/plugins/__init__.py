"""What plugs into Nornir; each plugin is registered by an entry point in pyproject.toml."""
