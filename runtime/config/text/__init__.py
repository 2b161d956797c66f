"""Parses configuration texts, JSON5 and TOML, and changes them in place. Pure."""
