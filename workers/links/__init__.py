"""Implements the worker's ends of the control link and the data link."""
