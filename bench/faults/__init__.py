"""Measures the effect of faults on sibling accounts: ``python -m bench.faults``."""
