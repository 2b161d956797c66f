"""Stores what workers hand in before anything else happens to it, and answers from it."""
