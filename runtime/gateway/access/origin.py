"""From where a connection really comes. Pure.

A reverse proxy makes everybody look local. So a connection that carries forwarding headers
is never taken for loopback, and its address is believed only from a proxy that the
configuration trusts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Whence:
    """``address`` is the client's; ``loopback`` when it is on this host without a proxy.

    ``proxy`` is the trusted proxy that it came through.
    """

    address: str
    loopback: bool
    proxy: str | None = None


class Proxies:
    """The trusted ones, by address or network."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._networks: list[Network] = [
            ipaddress.ip_network(each, strict=False) for each in trusted
        ]

    def trusts(self, address: str) -> bool:
        """Say whether ``address`` is a trusted proxy's."""
        try:
            plain = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(plain, ipaddress.IPv6Address) and plain.ipv4_mapped:
            plain = plain.ipv4_mapped
        return any(plain in network for network in self._networks)

    def whence(self, peer: str, loopback: bool, headers: Mapping[str, str]) -> Whence:
        """Return where a connection from ``peer`` comes from."""
        trusted = self.trusts(peer)
        if not any(name in headers for name in FORWARDED):
            return Whence(peer, loopback, peer if trusted else None)
        if not trusted:
            return Whence(peer, False)
        return Whence(self._client(headers.get("x-forwarded-for", "")) or peer, False, peer)

    def _client(self, forwarded: str) -> str | None:
        """Return the last address that is not a trusted proxy: those before it may be lies."""
        for each in reversed(forwarded.split(",")):
            address = each.strip()
            try:
                ipaddress.ip_address(address)
            except ValueError:
                return None
            if not self.trusts(address):
                return address
        return None
