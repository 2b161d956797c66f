"""Measures the effect of a faulty account on accounts of all channels, for 20 seconds."""
