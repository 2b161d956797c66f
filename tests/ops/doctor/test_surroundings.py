"""Names, the journal, hooks and the shell: each check in which it finds its fault, and not."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.doctor import surroundings
from runtime.gateway.journal.database import Database
from tests.support.doctor_facts import CONFIG, NOW, healthy

TELEGRAM = {"telegram": {"accounts": {name: {"botToken": f"1{name}:x"} for name in "abcd"}}}
IRC = {"irc": {"accounts": {"a": {"server": "irc.example", "nick": "bot"}}}}


def config_of(channels: Any, **more: Any) -> dict[str, Any]:
    return CONFIG | {"channels": channels} | more


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
    telegram, irc = surroundings.names(facts)
    assert telegram.message.startswith("api.telegram.org has no address here, needed by telegram:a")
    assert "and 1 more" in telegram.message
    assert irc.path == "irc.example"
    names += ["api.telegram.org", "irc.example"]
    assert list(surroundings.names(facts)) == []


@pytest.mark.parametrize(
    "fields",
    [{"server": "127.0.0.1"}, {"server": "localhost"}, {"enabled": False}, {"proxy": "http://p"}],
)
def test_what_needs_no_name_is_not_looked_up(
    tmp_path: Path, names: list[str], fields: dict[str, Any]
) -> None:
    account = {"server": "irc.example", "nick": "bot"} | fields
    facts = healthy(tmp_path, config_of({"irc": {"accounts": {"a": account}}}))
    assert list(surroundings.names(facts)) == []


def test_a_damaged_journal_is_found(tmp_path: Path) -> None:
    facts = healthy(tmp_path)
    assert list(surroundings.journal_integrity(facts)) == []  # there is none
    path = facts.places.state_dir / "journal.db"
    with closing(Database(path).connection):
        pass
    assert list(surroundings.journal_integrity(facts)) == []
    data = bytearray(path.read_bytes())
    data[4096:8192] = b"\xff" * 4096
    path.write_bytes(data)
    (found,) = surroundings.journal_integrity(facts)
    assert "trunkline restore" in str(found.cure)


@pytest.mark.parametrize(
    ("state", "minutes", "found"),
    [("queued", 16, 1), ("attempting", 16, 1), ("queued", 14, 0), ("sent", 16, 0)],
)
def test_messages_that_wait_for_long_are_found(
    tmp_path: Path, state: str, minutes: int, found: int
) -> None:
    facts = healthy(tmp_path)
    with closing(Database(facts.places.state_dir / "journal.db").connection) as database:
        at = int((NOW - minutes * 60) * 1000)
        row = (1, "key", at, state, 0, "{}", b"", b"")
        database.execute("INSERT INTO outgoing VALUES(NULL, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    findings = list(surroundings.undelivered(facts))
    assert len(findings) == found
    if found:
        assert "the oldest for 16 minutes" in findings[0].message


def test_without_a_journal_nothing_waits(tmp_path: Path) -> None:
    assert list(surroundings.undelivered(healthy(tmp_path))) == []


@pytest.mark.parametrize(
    ("mapping", "enabled", "found"),
    [
        ({"match": {"path": "a"}, "action": "wake", "textTemplate": "x"}, True, 0),
        ({"match": {"path": "a"}, "action": "nonsense"}, True, 1),
        ({"match": {"path": "a"}, "action": "nonsense"}, False, 0),
    ],
)
def test_a_wrong_hook_is_found(
    tmp_path: Path, mapping: dict[str, Any], enabled: bool, found: int
) -> None:
    hooks = {"enabled": enabled, "token": "t" * 40, "mappings": [mapping]}
    facts = healthy(tmp_path, CONFIG | {"hooks": hooks})
    assert len(list(surroundings.hooks(facts))) == found


def test_a_shell_that_does_not_complete_is_found(tmp_path: Path) -> None:
    facts = replace(healthy(tmp_path), environ={"SHELL": "/bin/fish", "HOME": str(tmp_path)})
    (found,) = surroundings.completion(facts)
    assert found.cure == f"trunkline completion fish > {found.path}"
    place = Path(str(found.path))
    place.parent.mkdir(parents=True)
    place.touch()
    assert list(surroundings.completion(facts)) == []
    other = replace(facts, environ={"SHELL": "/bin/dash", "HOME": str(tmp_path)})
    assert list(surroundings.completion(other)) == []
