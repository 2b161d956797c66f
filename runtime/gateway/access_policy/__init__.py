"""Decides whose messages are answered, and lets people ask to be admitted."""
