"""Formats and prints the results of commands."""
