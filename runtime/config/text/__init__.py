"""Configuration texts, JSON5 and TOML: reading, positions, changes in place."""
