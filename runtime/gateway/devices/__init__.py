"""Keeps paired devices and nodes."""
