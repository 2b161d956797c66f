"""Check, and show, the addresses of servers that a secret is sent to. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit


def wrong_root(root: str) -> str | None:
    """Return what is wrong with the address of an API server; ``None`` when nothing is."""
    try:
        parts = urlsplit(root)
        port = parts.port
    except ValueError:
        return "must be an address"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "must begin with https:// (or http://) and name a host"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user or a password"
    if parts.query or parts.fragment or any(char.isspace() for char in root):
        return "must be an address without ?, # and spaces"
    return None


def with_root(name: str, root: object, usual: str) -> str:
    """Return how an account is called: with its server where that is not the platform's own."""
    return name if root in (None, "", usual) else f"{name} at {root}"


def bot_name(number: str | None, root: object, usual: str) -> str:
    """Return how a bot's account is called: ``bot 123456``, with its server as ``with_root``."""
    return with_root(f"bot {number}" if number else "bot", root, usual)
