"""The operator's configuration: read once at the edge, then passed on as frozen values."""
