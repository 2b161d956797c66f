"""Names, the journal, hooks and the shell: each check in which it finds its fault, and not."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.doctor import journal
from ops.doctor.facts import Facts
from ops.doctor.finding import Severity
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
    telegram, irc = journal.names(facts)
    assert telegram.message.startswith(
        "api.telegram.org cannot be resolved here, needed by telegram:a"
    )
    assert "and 1 more" in telegram.message
    assert irc.path == "irc.example"
    names += ["api.telegram.org", "irc.example"]
    assert list(journal.names(facts)) == []


def test_a_name_that_is_none_is_a_finding() -> None:
    """The resolver raises another exception for it, which no thread must print."""
    found = journal.unresolved(["a..example"])
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
    assert list(journal.names(facts)) == []


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
    assert list(journal.hosts_of(facts.loaded)) == [host]


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
    assert journal.host_in(name, value) == host


def journal_of(facts: Facts) -> Path:
    path = facts.places.state_dir / "journal.db"
    with closing(Database(path).connection):
        pass
    return path


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:8192] = b"\xff" * 4096
    path.write_bytes(data)


def test_a_damaged_journal_is_found(tmp_path: Path) -> None:
    facts = healthy(tmp_path)
    assert list(journal.journal_integrity(facts)) == []  # there is none
    path = journal_of(facts)
    assert list(journal.journal_integrity(facts)) == []
    spoil(path)
    (found,) = journal.journal_integrity(facts)
    assert found.message.startswith("the journal is damaged: ")
    assert found.severity is Severity.ERROR
    assert "restore" not in str(found.cure)  # there is no copy
    backup = path.parent / "backup"
    backup.mkdir()
    for day in (1, 2):
        (backup / f"journal-2026010{day}T000000Z.db").touch()
    (found,) = journal.journal_integrity(facts)
    assert f"trunkline restore {backup}/journal-20260102T000000Z.db" in str(found.cure)


@pytest.mark.parametrize(
    ("code", "damaged", "cure"),
    [
        ("SQLITE_CORRUPT", True, ""),
        ("SQLITE_CORRUPT_INDEX", True, ""),
        ("SQLITE_NOTADB", True, ""),
        ("SQLITE_FULL", False, "make room"),
        ("SQLITE_IOERR", False, "make room"),
        ("SQLITE_IOERR_SHMSIZE", False, "make room"),
        ("SQLITE_IOERR_READ", False, "make room"),
        ("SQLITE_BUSY", False, "wait"),
        ("SQLITE_LOCKED_SHAREDCACHE", False, "wait"),
        ("SQLITE_PERM", False, "run this as"),
        ("SQLITE_AUTH", False, "run this as"),
        ("SQLITE_READONLY_CANTINIT", False, "run this as"),
        ("SQLITE_CANTOPEN", False, "run this as"),
        ("SQLITE_NOMEM", False, "look at its disk"),
    ],
)
def test_only_a_wrong_content_is_called_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, damaged: bool, cure: str
) -> None:
    facts = healthy(tmp_path)
    journal_of(facts)
    error = sqlite3.OperationalError("what SQLite says")
    error.sqlite_errorname = code

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(sqlite3, "connect", fails)
    (found,) = journal.journal_integrity(facts)
    begin = "the journal is damaged" if damaged else "the journal could not be checked"
    assert found.message == f"{begin}: what SQLite says"
    assert found.severity is (Severity.ERROR if damaged else Severity.WARNING)
    assert damaged or str(found.cure).startswith(cure)
    assert damaged or "restore" not in str(found.cure)


def test_a_gateway_that_begins_to_write_meanwhile_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = healthy(tmp_path)
    journal_of(facts)
    answers = iter(["*** in database main ***", "ok"])
    monkeypatch.setattr(journal, "_checked", lambda path: next(answers))
    assert list(journal.journal_integrity(facts)) == []


WRITER = """
import sys
from pathlib import Path
from runtime.gateway.journal.database import Database
database = Database(Path(sys.argv[1])).connection
row = (1, "key", int(sys.argv[2]), "queued", 0, "{}", b"", b"")
database.execute("INSERT INTO outgoing VALUES(NULL, ?, ?, ?, ?, ?, ?, ?, ?)", row)
print("stored", flush=True)
sys.stdin.read()
database.close()
"""


def contents(directory: Path) -> dict[str, tuple[bytes, int]]:
    return {
        each.name: (each.read_bytes(), each.stat().st_mtime_ns)
        for each in directory.iterdir()
        if each.is_file()
    }


@pytest.mark.parametrize("state", ["closed", "in use", "killed", "index lost"])
def test_the_journal_is_read_without_a_trace(tmp_path: Path, state: str) -> None:
    facts = healthy(tmp_path)
    path = journal_of(facts)
    at = str(int((NOW - 1800) * 1000))
    # Another process, as a gateway is: within one process SQLite shares the index.
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), at],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline()
    if state in ("killed", "index lost"):
        writer.kill()
    if state != "in use":
        writer.communicate()
    if state == "index lost":
        path.with_name("journal.db-shm").unlink()
    before = contents(path.parent)
    found = [*journal.journal_integrity(facts), *journal.undelivered(facts)]
    assert contents(path.parent) == before
    kinds = [each.check for each in found]
    assert kinds == ["journal.integrity" if state == "index lost" else "journal.undelivered"]
    writer.communicate()


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
    findings = list(journal.undelivered(facts))
    assert len(findings) == found
    if found:
        assert "the oldest for 16 minutes" in findings[0].message


def test_without_a_journal_nothing_waits(tmp_path: Path) -> None:
    assert list(journal.undelivered(healthy(tmp_path))) == []


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
    assert len(list(journal.hooks(facts))) == found


def test_a_wrong_hook_is_named_with_what_becomes_of_its_requests(tmp_path: Path) -> None:
    mappings = [{"match": {"path": "a"}, "action": "nonsense"}, {"match": {"path": 5}}]
    hooks = {"enabled": True, "token": "t" * 40, "mappings": mappings}
    wrong, pathless = journal.hooks(healthy(tmp_path, CONFIG | {"hooks": hooks}))
    assert wrong.message.startswith("hooks.mappings[0] (/hooks/a): ")
    assert wrong.message.endswith("; its requests are answered with 500")
    assert pathless.message.startswith("hooks.mappings[1] (match.path 5): ")
    assert pathless.message.endswith("; it takes no request")


def test_a_shell_that_does_not_complete_is_found(tmp_path: Path) -> None:
    facts = replace(healthy(tmp_path), environ={"SHELL": "/bin/fish", "HOME": str(tmp_path)})
    (found,) = journal.completion(facts)
    folder = Path(str(found.path)).parent
    assert found.cure == f"mkdir -p {folder} && trunkline completion fish > {found.path}"
    place = Path(str(found.path))
    place.parent.mkdir(parents=True)
    place.touch()
    assert list(journal.completion(facts)) == []
    other = replace(facts, environ={"SHELL": "/bin/dash", "HOME": str(tmp_path)})
    assert list(journal.completion(other)) == []
