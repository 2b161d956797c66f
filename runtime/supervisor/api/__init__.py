"""Requests of operators, from cli.sock and through the gateway."""
