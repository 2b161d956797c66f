"""Measures what accounts of all channels notice of one that goes wrong for 20 seconds."""
