"""Paired devices and nodes."""
