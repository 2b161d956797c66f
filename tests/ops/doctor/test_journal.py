"""A journal that is damaged, unreadable or left waiting is found, and read without a trace."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ops.doctor import journal
from ops.doctor.facts import Facts
from ops.doctor.finding import Severity
from runtime.gateway.journal.database import Database
from tests.support.doctor_facts import NOW, healthy


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
    assert list(journal.integrity(facts)) == []  # there is none
    path = journal_of(facts)
    assert list(journal.integrity(facts)) == []
    spoil(path)
    (found,) = journal.integrity(facts)
    assert found.message.startswith("the journal is damaged: ")
    assert found.severity is Severity.ERROR
    assert "restore" not in str(found.cure)  # there is no copy
    backup = path.parent / "backup"
    backup.mkdir()
    for day in (1, 2):
        (backup / f"journal-2026010{day}T000000Z.db").touch()
    (found,) = journal.integrity(facts)
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
    (found,) = journal.integrity(facts)
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
    assert list(journal.integrity(facts)) == []


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
    found = [*journal.integrity(facts), *journal.undelivered(facts)]
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
