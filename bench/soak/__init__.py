"""Runs the daemon under numbered traffic and random faults for long: ``python -m bench.soak``."""
