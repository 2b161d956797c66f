"""Runs agents: the life of each run, and the turns that workers take for it."""
