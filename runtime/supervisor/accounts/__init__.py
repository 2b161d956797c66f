"""Manages accounts and agents in the supervisor."""
