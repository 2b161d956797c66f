"""The built-in channels, one folder each: a manifest without SDK, and the plugin."""
