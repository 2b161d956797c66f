"""Starts, watches, limits and ends operating-system processes."""
