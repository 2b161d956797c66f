"""Changes of the configuration file."""
