"""Carries out commands, independently of the command line's syntax."""
