"""Decides which Host and Origin a request may name, against DNS rebinding. Pure.

A web page whose name is made to lead to this host is, for the browser, of the same origin as the
gateway: its requests come from loopback, and its Origin equals its Host. What gives it away is
the Host, which is the page's name. So on a loopback bind only names of this host count, and those
that the configuration gives: ``publicUrl`` and the hosts of ``allowedOrigins``. Where strangers
reach the gateway every name counts, for there no request is trusted for where it comes from;
what loopback is shown without a secret needs a name of this host there too (``is_own``).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

import msgspec

from ipc.hosts import is_address
from runtime.config.gateway_rules import is_local
from runtime.config.places import DEFAULT_PORT

# Requests below these paths carry a proof of their own (a signature, a hook's token, a ticket),
# come from servers and pages under any name, and open no session of a browser. Never an upgrade to
# WebSocket.
EXEMPT = ("/channels/", "/hooks/", "/__openclaw__/cap/")

OWN_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
ANY = "*"  # every origin
OPAQUE = frozenset({"null", "file://"})  # of a page without a host: a file, or a sandbox
DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_SHOWN = 80
KNOWN_HOSTS = 32  # whose parts are remembered: hardly any two requests name different ones

_AUTHORITY = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+,;=-]+)(?::(\d{0,5}))?")
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?P<authority>[^/?#@\\\s]*)")

Origin = tuple[str, str, int | None]  # scheme, name, port


class RequestHead(msgspec.Struct, frozen=True):
    """The headers of a request that show its host, and the origin of the web page."""

    path: str
    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    upgrade: bool = False  # to WebSocket


class HeadRefusal(msgspec.Struct, frozen=True):
    """A request is refused: HTTP 400 if malformed, 403 for a foreign host or origin."""

    status: int
    text: str

    def response(self) -> bytes:
        """Return the answer as the bytes of HTTP, after which the connection is closed."""
        body = self.text.encode()
        reason = "Bad Request" if self.status == 400 else "Forbidden"
        return (
            f"HTTP/1.1 {self.status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        ).encode() + body


def read_head(head: bytes, *, upgrade: bool) -> RequestHead | None:
    """Parse a request head without its last empty line; return ``None`` if it is not HTTP."""
    request, *lines = head.lstrip(b"\r\n").decode("latin-1").split("\r\n")
    words = request.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/"):
        return None
    found: dict[str, list[str]] = {"host": [], "origin": []}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or "\n" in line or "\r" in line or name != name.strip():
            return None
        if name.lower() in found:
            found[name.lower()].append(value.strip(" \t"))
    path = words[1].partition("?")[0]
    return RequestHead(path, tuple(found["host"]), tuple(found["origin"]), upgrade)


class HostRules:
    """The host names of one gateway, and the web pages that may use it."""

    def __init__(
        self,
        bind: str,
        allowed_origins: Iterable[str] = (),
        public_url: str | None = None,
        port: int = DEFAULT_PORT,
    ) -> None:
        allowed = list(allowed_origins)
        self._port = port
        self._strict = is_local(bind)
        self._any = ANY in allowed
        self._opaque = OPAQUE & {each.lower() for each in allowed}
        given = [*allowed, *([] if public_url is None else [_as_page(public_url)])]
        self._allowed = {found for each in given if (found := _origin(each)) is not None}
        self._names = {*OWN_NAMES, *(name for _, name, _ in self._allowed)}
        if is_address(bind):  # a word, such as ``loopback``, is a name that a network may give away
            self._names.add(_name_of(bind))

    def refuse_head(self, head: bytes, upgrade: bool) -> bytes | None:
        """Return the answer to a request whose head is refused; ``None`` if it is accepted."""
        read = read_head(head, upgrade=upgrade)
        if read is None:
            return HeadRefusal(400, "the request is no HTTP").response()
        refusal = self.refusal(read)
        return None if refusal is None else refusal.response()

    def refusal(self, head: RequestHead) -> HeadRefusal | None:
        """Return why a request is refused; ``None`` if it is accepted.

        The Origin of an upgrade that is well-formed is left to ``connect``, whose answer clients
        of the protocol understand.
        """
        if len(head.hosts) != 1:
            return HeadRefusal(400, f"a request names one Host, this one {len(head.hosts)}")
        host = head.hosts[0]
        if _authority(host) is None:
            return HeadRefusal(400, "the header Host is malformed")
        if len(head.origins) > 1:
            return HeadRefusal(400, f"a request names one Origin, this one {len(head.origins)}")
        origin = head.origins[0] if head.origins else None
        if origin is not None and origin not in OPAQUE and _origin(origin) is None:
            return HeadRefusal(400, "the header Origin is malformed")
        if head.path.startswith(EXEMPT) and not head.upgrade:
            return None
        if self._strict and not (self._any or self.is_own(host)):
            return HeadRefusal(403, _not_ours(host, self._port))
        if not head.upgrade and not self.allows(origin, host):
            text = (
                f"origin {_shown(origin or '')} not allowed; where the page is yours, add it to"
                " gateway.allowedOrigins on the gateway's host"
            )
            return HeadRefusal(403, text)
        return None

    def allows(self, origin: str | None, host: str | None) -> bool:
        """Return whether the page of ``origin`` may use the gateway that it reaches at ``host``.

        A client that is no browser has no Origin. A page of the gateway itself has the Host as
        its own; on loopback under any name of this host, at the same port.
        """
        if origin is None or self._any:
            return True
        if origin in OPAQUE:
            return origin in self._opaque
        page, reached = _origin(origin), _authority(host or "")
        if page is None or reached is None:
            return False
        if page in self._allowed:
            return True
        scheme, name, port = page
        if port != (reached[1] or DEFAULT_PORTS.get(scheme)):
            return False
        return name == reached[0] or (self._strict and {name, reached[0]} <= OWN_NAMES)

    def is_named(self, origin: str) -> bool:
        """Return whether the configuration itself allows pages of ``origin``."""
        if self._any:
            return True
        return origin in self._opaque if origin in OPAQUE else _origin(origin) in self._allowed

    def is_own(self, host: str | None) -> bool:
        """Return whether ``host`` is a name of this gateway: of this host, or a configured one."""
        found = _authority(host or "")
        return found is not None and found[0] in self._names


def _not_ours(host: str, port: int) -> str:
    """Return what is wrong with a Host, with the cures on further lines."""
    return f"""\
Host {_shown(host)} is no address of this gateway, which listens on loopback: use localhost or \
127.0.0.1, or set gateway.publicUrl to the address that clients use

From another computer: make a tunnel there, then open the address in the second line.
    ssh -L {port}:127.0.0.1:{port} HOST
    http://127.0.0.1:{port}/

Through a proxy, or under a name of your own: name that address on the gateway's host, as
gateway.publicUrl, or that of another page that uses the gateway in gateway.allowedOrigins.
    trunkline config patch '{{gateway: {{publicUrl: "https://NAME"}}}}'
"""


def _shown(text: str) -> str:
    return repr(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…")


@lru_cache(KNOWN_HOSTS)
def _authority(text: str) -> tuple[str, int | None] | None:
    """Split ``name[:port]``; return ``None`` if it is malformed."""
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        return None
    port = int(found[2]) if found[2] else None
    if port is not None and port > 65_535:
        return None
    name = found["name"]
    if name.startswith("["):
        try:
            return str(ipaddress.IPv6Address(name[1:-1])), port
        except ValueError:
            return None
    return _name_of(name), port


def _origin(text: str) -> Origin | None:
    """Split an Origin, with the default port of its scheme; return ``None`` if it is malformed."""
    found = _ORIGIN.fullmatch(text.rstrip("/"))
    authority = None if found is None else _authority(found["authority"])
    if authority is None:
        return None
    scheme = text.partition(":")[0].lower()
    name, port = authority
    return scheme, name, port or DEFAULT_PORTS.get(scheme)


def _as_page(url: str) -> str:
    """Return the origin of pages at the address of a gateway, whose scheme may be ``wss``."""
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return f"{scheme}://{parts.netloc}"


def _name_of(text: str) -> str:
    """Normalize a name or address for comparison: lower case, no trailing dot."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text.lower().removesuffix(".")
