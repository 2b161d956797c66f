"""Microbenchmarks of single pieces, for pytest-benchmark: ``python -m pytest bench/pieces``."""
