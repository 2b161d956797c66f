"""Check, and show, the addresses of servers that a secret is sent to. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from ipc.hosts import HTTP, is_address, wrong_address
from workers.media.addresses import is_public


def host_of(url: object) -> str:
    """Return the host of an address, without what may be secret in it; "" where it names none."""
    try:
        return (urlsplit(url).hostname or "") if isinstance(url, str) else ""
    except ValueError:
        return ""


def wrong_root(root: str) -> str | None:
    """Return what is wrong with the address of an API server; ``None`` when nothing is."""
    return wrong_address(root, HTTP, query=False)


def wrong_url(url: str, allow_private: bool) -> str | None:
    """Return what is wrong with an address that is posted to; ``None`` when nothing is."""
    if wrong := wrong_address(url, HTTP):
        return wrong
    host = host_of(url)
    if not allow_private and is_address(host) and not is_public(host):
        return "is an address of this host or its networks, which needs allowPrivate: true"
    return None


def with_root(name: str, root: object, usual: str) -> str:
    """Return how an account is called: with its server where that is not the platform's own."""
    return name if root in (None, "", usual) else f"{name} at {root}"


def bot_name(number: str | None, root: object, usual: str) -> str:
    """Return how a bot's account is called: ``bot 123456``, with its server as ``with_root``."""
    return with_root(f"bot {number}" if number else "bot", root, usual)
