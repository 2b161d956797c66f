"""Finds and reaches the supervisor or a gateway."""
