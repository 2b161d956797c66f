"""Parses the command line ``trunkline`` and runs its commands."""
