"""Helps channels and agents that speak HTTP: addresses, signatures, failures."""
