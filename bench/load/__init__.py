"""Generates load with a C program, because a Python client is slower than the gateway."""
