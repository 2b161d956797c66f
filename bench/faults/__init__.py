"""Measures what sibling accounts notice of faults: ``python -m bench.faults``."""
