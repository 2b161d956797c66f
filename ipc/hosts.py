"""Checks the syntax of host names and addresses, without resolving them. Pure."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

HTTP = ("https", "http")  # schemes for ``wrong_address``
_NO_NAME = "is not a host name: its parts must have 1 to 63 characters"


def is_address(host: str) -> bool:
    """Return whether ``host`` is an IP address, not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback_host(host: str) -> bool:
    """Return whether ``host`` is ``localhost`` or a loopback address."""
    if is_address(host):
        return ip_address(host).is_loopback
    return host.lower().removesuffix(".") == "localhost"


def wrong_host(host: str) -> str | None:
    """Return what is wrong with ``host`` and what to write instead; ``None`` if nothing is."""
    if is_address(host):
        return None
    if "://" in host:
        return f"is a URL: write only the host{_instead(host)}; the port has a field of its own"
    if host.startswith("["):
        return f"has brackets: write only the address{_instead(f'x://{host}')}"
    name, _, port = ":".join(host.split()).partition(":")
    if port.isdigit():
        return f'has a port: write "{name}", and {port} into the field port'
    if ":" in host or "/" in host:
        return "is neither a host name nor an IP address"
    return wrong_name(host)


def wrong_name(name: str) -> str | None:
    """Return why ``name`` is not a valid host name (RFC 1035, IDNA); ``None`` if it is."""
    try:
        plain = name.removesuffix(".").encode("idna").decode("ascii")
    except UnicodeError:
        return _NO_NAME
    if odd := next((each for each in plain if not (each.isalnum() or each in "-._")), None):
        what = "a space" if odd.isspace() else repr(odd)
        return f"is not a host name: it has {what} in it"
    return None if name else _NO_NAME


def wrong_address(url: str, schemes: tuple[str, ...], *, query: bool = True) -> str | None:
    """Return what is wrong with the URL of a server; ``None`` if nothing is.

    It must have one of ``schemes``, of which the usual one comes first, a valid host, no port 0
    (RFC 3986), no fragment, and no user or password, because URLs are displayed. ``query``: whether
    a query is allowed.
    """
    usual, *others = schemes
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:  # a port out of range, half an IPv6 address
        return f"must be an address like {usual}://example.com"
    bare = f"must be an address without {'?, ' * (not query)}# and spaces"
    if any(char.isspace() for char in url):
        return bare
    if parts.scheme not in schemes or port == 0 or not (is_address(host) or not wrong_name(host)):
        or_else = f" (or {others[0]}://)" if others else ""
        return f"must begin with {usual}://{or_else} and name a host"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user or a password: secrets have fields of their own"
    return bare if parts.fragment or (parts.query and not query) else None


def _instead(url: str) -> str:
    try:
        found = urlsplit(url).hostname
    except ValueError:
        found = None
    return f' ("{found}")' if found else ""
