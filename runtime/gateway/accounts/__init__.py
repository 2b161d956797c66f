"""Keeps the state of all accounts, sends their messages to clients, and calls them."""
