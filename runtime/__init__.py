"""Runs the daemon: configuration, zygote, supervisor and gateway."""
