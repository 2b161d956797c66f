"""Contains the built-in channels: each a manifest that imports no SDK, and a plugin."""
