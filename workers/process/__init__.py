"""The worker process: loads one plugin, runs it, ends it."""
