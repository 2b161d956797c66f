"""Runs the supervisor process, which starts, watches and ends every other process."""
