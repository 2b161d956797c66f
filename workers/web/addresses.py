"""Checks and displays the URLs of servers that receive a secret. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from ipc.hosts import HTTP, is_address, wrong_address
from workers.media.addresses import is_public


def host_of(url: object) -> str:
    """Return the host of a URL, without parts that may be secret; "" if it has none."""
    try:
        return (urlsplit(url).hostname or "") if isinstance(url, str) else ""
    except ValueError:
        return ""


def wrong_root(root: str) -> str | None:
    """Return what is wrong with the base URL of an API server; ``None`` if nothing is."""
    return wrong_address(root, HTTP, query=False)


def wrong_url(url: str, allow_private: bool) -> str | None:
    """Return what is wrong with a URL that requests are posted to; ``None`` if nothing is."""
    if wrong := wrong_address(url, HTTP):
        return wrong
    host = host_of(url)
    if not allow_private and is_address(host) and not is_public(host):
        return "is an address of this host or its networks, which needs allowPrivate: true"
    return None


def with_root(name: str, root: object, usual: str) -> str:
    """Return the display name of an account, with its server unless that is the platform's own."""
    return name if root in (None, "", usual) else f"{name} at {root}"


def bot_name(number: str | None, root: object, usual: str) -> str:
    """Return the display name of a bot's account: ``bot 123456``, as ``with_root`` does."""
    return with_root(f"bot {number}" if number else "bot", root, usual)
