"""Formats and prints what commands found out."""
