"""Servers that behave as platforms do, with faults on demand, for tests without a network."""
