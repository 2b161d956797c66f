"""The supervisor process: starts, watches and ends every other process."""
