"""Configuration texts, JSON5 and TOML: parsed, located and changed in place. All of it is pure."""
