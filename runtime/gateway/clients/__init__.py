"""Admits clients and carries out their requests."""
