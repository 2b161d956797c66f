"""What runs in an account's process: the plugin interface, the worker, the built-in channels."""
