"""Addresses of connections, with and without a proxy between."""

from __future__ import annotations

import pytest

from runtime.gateway.access.client_address import FORWARDED, ClientAddress, TrustedProxies

TRUSTED = TrustedProxies(["10.0.0.0/8", "2001:db8::1"])


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("::ffff:10.1.2.3", True),  # an IPv4 peer on a socket for both families
        ("2001:db8::1", True),
        ("2001:db8::2", False),
        ("unix", False),
        ("", False),
    ],
)
def test_proxies_are_trusted_by_address_or_network(address: str, trusted: bool) -> None:
    assert TRUSTED.trusts(address) is trusted


@pytest.mark.parametrize("address", ["10.1.2.3", "127.0.0.1", "nonsense"])
def test_without_a_configured_proxy_none_is_trusted(address: str) -> None:
    assert not TrustedProxies([]).trusts(address)


@pytest.mark.parametrize(
    ("peer", "loopback", "headers", "expected"),
    [
        ("127.0.0.1", True, {}, ClientAddress("127.0.0.1", True)),
        ("203.0.113.9", False, {}, ClientAddress("203.0.113.9", False)),
        ("10.0.0.1", False, {}, ClientAddress("10.0.0.1", False, "10.0.0.1")),
        (
            "10.0.0.1",
            False,
            {"x-forwarded-for": "203.0.113.9"},
            ClientAddress("203.0.113.9", False, "10.0.0.1"),
        ),
        (  # the client has put the first one there itself
            "10.0.0.1",
            False,
            {"x-forwarded-for": "127.0.0.1, 203.0.113.9, 10.0.0.2"},
            ClientAddress("203.0.113.9", False, "10.0.0.1"),
        ),
        (
            "10.0.0.1",
            False,
            {"x-forwarded-for": "203.0.113.9, nonsense"},
            ClientAddress("10.0.0.1", False, "10.0.0.1"),
        ),
        (
            "10.0.0.1",
            False,
            {"x-forwarded-for": "10.0.0.3, 10.0.0.2"},
            ClientAddress("10.0.0.1", False, "10.0.0.1"),
        ),
    ],
)
def test_the_address_is_the_client_s(
    peer: str, loopback: bool, headers: dict[str, str], expected: ClientAddress
) -> None:
    assert TRUSTED.address_of(peer, loopback, headers) == expected


@pytest.mark.parametrize("header", FORWARDED)
def test_a_forwarded_connection_is_never_loopback(header: str) -> None:
    untrusted = TrustedProxies([]).address_of("127.0.0.1", True, {header: "127.0.0.1"})
    assert untrusted == ClientAddress("127.0.0.1", False)
    assert not TrustedProxies(["127.0.0.1"]).address_of("127.0.0.1", True, {header: "x"}).loopback
