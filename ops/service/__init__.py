"""Runs the daemon as a service of systemd: the unit, and what is asked of systemd."""
