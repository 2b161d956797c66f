"""Generates load from C: a client in Python would be slower than the gateway it measures."""
