"""Knows the accounts, carries their messages to clients and calls to them."""
