"""Check, and show, the addresses of servers that a secret is sent to. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from ipc.hosts import is_address
from workers.media.addresses import is_public


def host_of(url: object) -> str:
    """Return the host of an address, without what may be secret in it; "" where it names none."""
    try:
        return (urlsplit(url).hostname or "") if isinstance(url, str) else ""
    except ValueError:
        return ""


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


def wrong_url(url: str, allow_private: bool) -> str | None:
    """Return what is wrong with an address that is posted to; ``None`` when nothing is."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "must be an address like https://example.com/hook"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "must begin with https:// (or http://) and name a host"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user or a password: the signature is what proves who sends"
    if parts.fragment or any(char.isspace() for char in url):
        return "must be an address without # and spaces"
    if not allow_private and is_address(parts.hostname) and not is_public(parts.hostname):
        return "is an address of this host or its networks, which needs allowPrivate: true"
    return None


def with_root(name: str, root: object, usual: str) -> str:
    """Return how an account is called: with its server where that is not the platform's own."""
    return name if root in (None, "", usual) else f"{name} at {root}"


def bot_name(number: str | None, root: object, usual: str) -> str:
    """Return how a bot's account is called: ``bot 123456``, with its server as ``with_root``."""
    return with_root(f"bot {number}" if number else "bot", root, usual)
