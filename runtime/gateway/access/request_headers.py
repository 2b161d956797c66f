"""Reads the headers of requests alike, whichever library has parsed them. Pure.

Of a header that comes several times aiohttp returns the first value, and websockets raises. The
first is the one that a client can put there itself: some proxies add a line of their own behind it.
Text that is not ASCII is UTF-8 for the one, and ISO 8859-1 for the other.
"""

from __future__ import annotations

from collections.abc import Iterable


def headers_of_http(given: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers of an HTTP request (aiohttp's ``raw_headers``) by name, in lower case.

    All values of one that comes several times are joined, as RFC 9110 (5.3) has it.
    """
    found: dict[str, str] = {}
    for raw_name, raw_value in given:
        name = raw_name.decode("latin-1").lower()
        value = raw_value.decode(errors="replace")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def headers_of_websocket(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return those of a WebSocket's request (websockets' ``raw_items``) likewise."""
    return headers_of_http(
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in given
    )
