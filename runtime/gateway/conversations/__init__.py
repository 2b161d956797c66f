"""Decides which agent answers a message, in which conversation, and when."""
