"""The journal's file is replaced: a kill at any moment leaves the former one or the new one."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from runtime.gateway.journal import copies
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.repair import repair
from runtime.gateway.journal.replacing import (
    REPAIRED,
    RESTORED,
    UNFINISHED,
    beside,
    finish_replacement,
)
from runtime.gateway.journal.stored import StoredJournal
from tests.support.journals import KEY, arrived
from tests.support.until import until

FORMER = ["m1", "m2", "m3", "m4", "m5"]
COPIED = FORMER[:3]


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def killed_at(step: int) -> Iterator[None]:
    """Let nothing happen from one change of a directory on; the first one is 0."""
    with pytest.MonkeyPatch.context() as patch:
        counted = itertools.count()

        def ending(real: Callable[..., object]) -> Callable[..., object]:
            def change(path: Path, *args: object, **options: object) -> object:
                if next(counted) >= step:
                    raise Killed
                return real(path, *args, **options)

            return change

        for name in ("rename", "replace", "unlink"):
            patch.setattr(Path, name, ending(getattr(Path, name)))
        yield


def store(path: Path, *ids: str) -> None:
    """Store messages and end without closing the file: its log stays."""
    child = os.fork()
    if not child:
        database = Database(path)
        for number, each in enumerate(ids, 1 + len(stored_in(database.connection))):
            database.store([arrived(number, each)])
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def stored_in(journal: sqlite3.Connection) -> list[str]:
    rows = journal.execute("SELECT value FROM ids, json_each(ids.ids) ORDER BY pos").fetchall()
    return [each for (each,) in rows]


def messages(path: Path) -> list[str]:
    """Return the messages of a sound journal."""
    with closing(sqlite3.connect(path)) as journal:
        assert journal.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return stored_in(journal)


def journal_and_copy(place: Path) -> tuple[Path, Path]:
    """Make a journal whose last messages are in its log, and an older copy of it."""
    place.mkdir()
    path, copied = place / "journal.db", place / "copy.db"
    store(path, *COPIED)
    copies.copy(path, copied)
    store(path, *FORMER[3:])
    assert beside(path, "-wal").stat().st_size
    return path, copied


def former_of(path: Path) -> list[Path]:
    """Return the former journals that are kept."""
    found = path.parent.glob(f"{path.name}.*-*")
    return [each for each in found if not each.name.endswith(("-wal", "-shm"))]


def test_a_kill_at_any_step_of_a_restore_leaves_one_whole_journal(tmp_path: Path) -> None:
    results = []
    for step in range(20):
        path, copied = journal_and_copy(tmp_path / str(step))
        over = False
        with killed_at(step):
            try:
                copies.restore(copied, path)
                over = True
            except Killed:
                pass
        finish_replacement(path)
        restored = bool(former_of(path))
        for each in former_of(path):
            assert messages(each) == FORMER
        Database(path).close()  # the next start
        assert messages(path) == (COPIED if restored else FORMER), step
        assert not [*path.parent.glob(f"*{UNFINISHED}*"), *path.parent.glob(f"*{RESTORED}*")]
        results.append(restored)
        if over:
            break
    assert results == sorted(results)  # from some step on it is restored
    assert set(results) == {False, True}
    assert over


def test_a_kill_at_any_step_of_a_repair_loses_nothing(tmp_path: Path) -> None:
    for step in range(20):
        path, _ = journal_and_copy(tmp_path / str(step))
        over = False
        with closing(sqlite3.connect(path)) as reader:  # for which its log stays
            assert stored_in(reader) == FORMER
            with killed_at(step):
                try:
                    repair(path)
                    over = True
                except Killed:
                    pass
            held = [each.name for each in path.parent.glob("*-wal")]
            assert held
            finish_replacement(path)
            Database(path).close()
            assert messages(path) == FORMER, step
        assert not [*path.parent.glob(f"*{UNFINISHED}*"), *path.parent.glob(f"*{REPAIRED}*")]
        if over:
            return
    raise AssertionError("it never came to its end")


async def test_the_next_start_finishes_a_restore_that_was_killed(tmp_path: Path) -> None:
    path, copied = journal_and_copy(tmp_path / "state")
    with killed_at(2), pytest.raises(Killed):  # the copy has its name, and one file was moved
        copies.restore(copied, path)
    assert not path.exists()
    assert beside(path, "-wal").exists()
    journal = StoredJournal(path)
    await until(lambda: journal.ready)
    place = journal.place(KEY)
    assert place is not None
    assert place.newest == (1, len(COPIED))
    await journal.close()
    assert messages(path) == COPIED
    (former,) = former_of(path)
    assert messages(former) == FORMER


def test_a_copy_that_does_not_get_into_place_is_not_put_there_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, copied = journal_and_copy(tmp_path / "state")

    def refuse(*args: object, **options: object) -> None:
        raise PermissionError("not allowed")

    with monkeypatch.context() as patch:
        patch.setattr("runtime.gateway.journal.replacing.move_aside", refuse)
        with pytest.raises(PermissionError):
            copies.restore(copied, path)
    assert finish_replacement(path) is False
    assert messages(path) == FORMER


def test_what_was_not_complete_is_removed_and_nothing_else(tmp_path: Path) -> None:
    path, _ = journal_and_copy(tmp_path / "state")
    names = [
        f"journal.db{each}{UNFINISHED}{end}"
        for each in (REPAIRED, RESTORED)
        for end in ("", "-wal")
    ]
    for name in [*names, f"mine.db{UNFINISHED}"]:
        (path.parent / name).touch()
    assert finish_replacement(path) is False
    assert [each.name for each in path.parent.glob(f"*{UNFINISHED}*")] == [f"mine.db{UNFINISHED}"]
    assert messages(path) == FORMER
