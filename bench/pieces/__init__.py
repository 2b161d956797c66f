"""The pieces, each alone, under pytest-benchmark: ``python -m pytest bench/pieces``."""
