"""Finds the runtime that a command means and connects to its supervisor or gateway."""
