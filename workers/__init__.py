"""Runs one account per process: the plugin interface, the worker, the built-in channels."""
