"""Runs the daemon as a systemd service: writes the unit and calls systemd."""
