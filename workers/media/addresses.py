"""Decides which network addresses are public. Pure."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

# Prefixes under which a translator reaches IPv4, and where the IPv4 address begins (bits).
_TRANSLATED = (
    (IPv6Network("64:ff9b::/96"), 96),  # RFC 6052
    (IPv6Network("2002::/16"), 16),  # RFC 3056, 6to4
    (IPv6Network("::/96"), 96),  # compatible addresses, long obsolete
)
_LOCAL = (
    IPv6Network("64:ff9b:1::/48"),  # RFC 8215: a translator of this network alone
    IPv6Network("2001::/32"),  # Teredo: where it ends is the server's choice
    IPv6Network("fec0::/10"),  # RFC 3879
)


def is_public(address: str) -> bool:
    """Return whether an IP address belongs to a host of the public internet.

    Any other, such as 127.0.0.1, 10.0.0.1, 169.254.169.254 or an address that stands for one of
    these in IPv6, may lead to what only this host or its network may see.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return _is_public(found) and "%" not in address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_public(address.ipv4_mapped)
        for network, begin in _TRANSLATED:
            if address in network:
                return _is_public(IPv4Address(int(address) >> (96 - begin) & 0xFFFFFFFF))
        if any(address in network for network in _LOCAL):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved
