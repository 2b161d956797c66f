"""Implements the command line ``trunkline``."""
