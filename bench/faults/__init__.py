"""What siblings notice when something goes wrong: ``python -m bench.faults``."""
