"""Stores outgoing messages and sends each once, in order per chat."""
