"""Names of servers that cannot be resolved are found, and no more are looked up than needed."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from ops.doctor import hosts
from tests.support.doctor_facts import CONFIG, healthy

TELEGRAM = {"telegram": {"accounts": {name: {"botToken": f"1{name}:x"} for name in "abcd"}}}
IRC = {"irc": {"accounts": {"a": {"server": "irc.example", "nick": "bot"}}}}


def config_of(channels: Any) -> dict[str, Any]:
    return CONFIG | {"channels": channels}


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that have an address."""
    known: list[str] = []

    def look(host: str, port: object) -> list[Any]:
        if host not in known:
            raise socket.gaierror(-2, "Name or service not known")
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look)
    return known


def test_a_platform_without_an_address_is_named_once(tmp_path: Path, names: list[str]) -> None:
    facts = healthy(tmp_path, config_of(TELEGRAM | IRC))
    telegram, irc = hosts.names(facts)
    assert telegram.message.startswith(
        "api.telegram.org cannot be resolved here, needed by telegram:a"
    )
    assert "and 1 more" in telegram.message
    assert irc.path == "irc.example"
    names += ["api.telegram.org", "irc.example"]
    assert list(hosts.names(facts)) == []


def test_a_name_that_is_none_is_a_finding() -> None:
    """The resolver raises another exception for it, which no thread must print."""
    found = hosts.unresolved(["a..example"])
    assert found == {"a..example": "is not a host name: its parts must have 1 to 63 characters"}


@pytest.mark.parametrize(
    "fields",
    [{"server": "127.0.0.1"}, {"server": "localhost"}, {"enabled": False}, {"proxy": "http://p"}],
)
def test_what_needs_no_name_is_not_looked_up(
    tmp_path: Path, names: list[str], fields: dict[str, Any]
) -> None:
    account = {"server": "irc.example", "nick": "bot"} | fields
    facts = healthy(tmp_path, config_of({"irc": {"accounts": {"a": account}}}))
    assert list(hosts.names(facts)) == []


@pytest.mark.parametrize(
    ("channel", "fields", "host"),
    [
        ("irc", {"server": "irc.example", "nick": "bot"}, "irc.example"),
        (
            "telegram",
            {"botToken": "1:x", "apiRoot": "https://pigeon.example:8/x"},
            "pigeon.example",
        ),
    ],
)
def test_the_host_of_an_address_is_looked_up(
    tmp_path: Path, channel: str, fields: dict[str, Any], host: str
) -> None:
    facts = healthy(tmp_path, config_of({channel: {"accounts": {"a": fields}}}))
    assert facts.loaded is not None
    assert list(hosts.hosts_of(facts.loaded)) == [host]


@pytest.mark.parametrize(
    ("name", "value", "host"),
    [
        ("server", "pigeon.example", "pigeon.example"),
        ("server", "https://pigeon.example", "pigeon.example"),
        ("host", "tcp://user:word@pigeon.example:9/x", "pigeon.example"),
        ("site", "https://pigeon.example:8443/x", "pigeon.example"),
        ("site", "pigeon.example", None),
        ("server", "https://[wrong", None),
        ("server", 7, None),
    ],
)
def test_a_field_names_a_host_or_has_it_in_an_address(
    name: str, value: object, host: str | None
) -> None:
    assert hosts.host_in(name, value) == host
