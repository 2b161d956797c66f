"""The built-in channels, one folder each: a manifest that imports no SDK, and the plugin."""
