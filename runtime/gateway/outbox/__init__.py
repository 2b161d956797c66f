"""Keeps what is to be sent, and sends it: each message once, in order per chat."""
