"""Defines the commands: a module for each, or for each family, with a typer app ``app``."""
