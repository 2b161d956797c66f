"""Decides who answers which message, in which conversation, and when."""
