from __future__ import annotations

import pytest

from ipc.hosts import is_address, is_loopback_host, wrong_address, wrong_host, wrong_name


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
        ("irc.libera.chat 6697", 'write "irc.libera.chat", and 6697'),
        ("[::1]", 'has brackets: write only the address ("::1")'),
        ("[::1]:6667", 'has brackets: write only the address ("::1")'),
        ("irc..example.org", "its parts must have 1 to 63 characters"),
        (".example.org", "is not a host name"),
        ("a" * 64, "is not a host name"),
        ("", "is not a host name"),
        ("irc.libera.chat ", "is not a host name: it has a space in it"),
        ("irc libera chat", "it has a space in it"),
        ("irc.libera.chat\n", "it has a space in it"),
        ("me@irc.libera.chat", "it has '@' in it"),
        ("irc.libera.chat,irc.example.org", "it has ',' in it"),
        ("irc\0.example.org", "it has '\\x00' in it"),
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


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_which_hosts_are_this_one(host: str, answer: bool) -> None:
    assert is_loopback_host(host) is answer


WEB, SOCKET = ("https", "http"), ("wss", "ws")


@pytest.mark.parametrize(
    ("url", "schemes", "query", "about"),
    [
        ("https://example.com/hook?a=1", WEB, True, None),
        ("http://[::1]:8080/x", WEB, False, None),
        ("ws://127.0.0.1:18789", SOCKET, False, None),
        ("example.com", WEB, True, "must begin with https:// (or http://) and name a host"),
        ("https://example.com", ("wss",), True, "must begin with wss:// and name a host"),
        ("https://", WEB, True, "and name a host"),
        ("https://a..b/", WEB, True, "and name a host"),
        ("https://example.com:0", WEB, True, "must begin with"),
        ("https://example.com:99999", WEB, True, "must be an address like https://example.com"),
        ("wss://[::1", SOCKET, True, "must be an address like wss://example.com"),
        ("https://ann:hunter2@example.com", WEB, True, "must not hold a user or a password"),
        ("https://@example.com", WEB, True, "must not hold a user or a password"),
        ("https://example.com/#part", WEB, True, "without # and spaces"),
        ("https://example.com/?key=1", WEB, False, "without ?, # and spaces"),
        ("https://example.com/a b", WEB, True, "spaces"),
        ("https://exam ple.com/", WEB, True, "spaces"),
        ("https://exam,ple.com/", WEB, True, "and name a host"),
    ],
)
def test_the_address_of_a_server_is_checked(
    url: str, schemes: tuple[str, ...], query: bool, about: str | None
) -> None:
    found = wrong_address(url, schemes, query=query)
    assert found is None if about is None else about in str(found)
    assert "hunter2" not in str(found)
