"""Checks a runtime and its host for present and coming problems, with a cure for each."""
