"""Stores the files of messages, and decides which files and addresses a message may name."""
