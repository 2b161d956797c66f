from __future__ import annotations

import pytest

from ipc.hosts import is_address, wrong_host, wrong_name


@pytest.mark.parametrize(
    "host",
    ["irc.libera.chat", "localhost", "host.", "under_score", "münchen.example", "10.0.0.1", "::1",
     "fe80::1%eth0", "2001:db8::1", "a" * 63],
)  # fmt: skip
def test_what_a_resolver_can_be_asked_for(host: str) -> None:
    assert wrong_host(host) is None


@pytest.mark.parametrize(
    ("host", "cure"),
    [
        ("irc://irc.libera.chat", 'is a URL: write only the host ("irc.libera.chat")'),
        ("ircs://host:6697/#room", 'write only the host ("host"); the port has a field'),
        ("https://", "is a URL: write only the host;"),
        ("http://[half", "is a URL: write only the host;"),
        ("127.0.0.1:6667", 'has a port: write "127.0.0.1", and 6667 into the field port'),
        ("irc.libera.chat:6697", 'write "irc.libera.chat", and 6697'),
        ("[::1]", 'has brackets: write only the address ("::1")'),
        ("[::1]:6667", 'has brackets: write only the address ("::1")'),
        ("irc..example.org", "its parts must have 1 to 63 characters"),
        (".example.org", "is no host name"),
        ("a" * 64, "is no host name"),
        ("", "is no host name"),
        ("host/path", "neither a host name nor an IP address"),
        ("a:b:c", "neither a host name nor an IP address"),
        ("host:port", "neither a host name nor an IP address"),
    ],
)
def test_what_is_wrong_is_told_with_its_cure(host: str, cure: str) -> None:
    found = wrong_host(host)
    assert found is not None
    assert cure in found


def test_names_and_addresses_are_told_apart() -> None:
    assert [is_address(text) for text in ("::1", "1.2.3.4", "host", "[::1]", "")] == [
        True, True, False, False, False
    ]  # fmt: skip
    assert wrong_name("host") is None
