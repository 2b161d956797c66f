"""Determines the address that a connection really comes from. Pure.

Not the header ``Origin`` of web pages: that is checked in ``hosts``. Behind a reverse proxy every
client looks local. So a connection that carries forwarding headers never counts as loopback, and
the address in them is used only when the proxy is one that the configuration trusts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

import msgspec

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ClientAddress(msgspec.Struct, frozen=True):
    """The origin of a connection.

    ``address`` is the client's; ``loopback`` is true when it is on this host and no proxy lies
    between; ``proxy`` is the address of the trusted proxy, ``None`` without one.
    """

    address: str
    loopback: bool
    proxy: str | None = None


class TrustedProxies:
    """The trusted proxies, each given as an address or a network."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._networks: list[Network] = [
            ipaddress.ip_network(each, strict=False) for each in trusted
        ]

    def trusts(self, address: str) -> bool:
        """Return whether ``address`` belongs to a trusted proxy."""
        if not self._networks:
            return False
        try:
            plain = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(plain, ipaddress.IPv6Address) and plain.ipv4_mapped:
            plain = plain.ipv4_mapped
        return any(plain in network for network in self._networks)

    def address_of(self, peer: str, loopback: bool, headers: Mapping[str, str]) -> ClientAddress:
        """Return the origin of a connection whose socket comes from ``peer``.

        ``headers`` have names in lower case (``request_headers``).
        """
        trusted = self.trusts(peer)
        if not any(name in headers for name in FORWARDED):
            return ClientAddress(peer, loopback, peer if trusted else None)
        if not trusted:
            return ClientAddress(peer, False)
        return ClientAddress(self._client(headers.get("x-forwarded-for", "")) or peer, False, peer)

    def _client(self, forwarded: str) -> str | None:
        """Return the last forwarded address not of a trusted proxy; earlier ones can be forged."""
        for each in reversed(forwarded.split(",")):
            address = each.strip()
            try:
                ipaddress.ip_address(address)
            except ValueError:
                return None
            if not self.trusts(address):
                return address
        return None
