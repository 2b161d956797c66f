from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from ipc.files import open_to_write
from ipc.frames.words import Phase
from runtime.supervisor.accounts import history as module
from runtime.supervisor.accounts.history import (
    CHANGES,
    EVENTS,
    PER_KIND,
    History,
    HistoryEntry,
    change_of,
    delete_from_file,
    entry_of,
    note_of,
    shown,
)
from runtime.supervisor.lifecycle import Event, Exit, Exited, Reset, Start, State, Stop
from tests.support.until import PATIENCE, until

KEY = "irc:libera"
OTHER = "irc:oftc"


@contextmanager
def opened(path: Path) -> Iterator[History]:
    history = History(path)
    try:
        yield history
    finally:
        history.close()


def entry(number: int, phase: str = "backoff") -> HistoryEntry:
    text = f"ж\n{number}"
    return HistoryEntry(at=number, phase=phase, incarnation=number, cause="killed", text=text)


def test_the_history_is_kept_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with opened(path) as history:
        history.add(KEY, entry(1))
        history.add(OTHER, entry(2))
    with opened(path) as history:
        assert history.of(KEY) == [entry(1)]
        assert history.last(OTHER) == entry(2)
        assert history.last("irc:none") is None
        assert history.warnings == []


def test_one_account_is_deleted_from_a_file_and_its_damage_stays(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    delete_from_file(path, KEY)  # there is none
    with opened(path) as history:
        history.add(KEY, entry(1))
        history.add(OTHER, entry(2))
    path.write_bytes(b"{damaged\n" + path.read_bytes())
    delete_from_file(path, KEY)
    damage, line = path.read_bytes().splitlines()
    assert (damage, OTHER.encode() in line) == (b"{damaged", True)


def test_a_named_pipe_in_the_place_of_the_file_holds_no_command_up(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    os.mkfifo(path)
    delete_from_file(path, KEY)
    assert path.is_fifo()


def test_the_last_fifty_of_each_account_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    for _ in range(2):
        with opened(path) as history:
            for number in range(EVENTS + 20):
                history.add(KEY, entry(number))
            assert [one.at for one in history.of(KEY)] == list(range(20, EVENTS + 20))


def crash(number: int, seconds: float = 60) -> list[HistoryEntry]:
    """Return the events of one crash of many, ``seconds`` after the one before."""
    at = 1_000 + round(number * seconds * 1000)
    begun = HistoryEntry(at=at, phase="starting", incarnation=number, failures=number)
    ended = replace(begun, at=at + 5, phase="backoff", cause="crash", text="it broke")
    return [begun, ended]


def test_a_crash_loop_displaces_nothing_and_its_first_crashes_are_a_count(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    note = HistoryEntry(at=1, phase="running", incarnation=1, text="limits", by="Ada", note=True)
    with opened(path) as history:
        history.add(KEY, note)
        for number in range(100):
            for each in crash(number):
                history.add(KEY, each)
        found = history.of(KEY)
    assert found[0] == note
    loops = [each for each in found if each.phase == "backoff"]
    assert [each.times for each in loops] == [101 - PER_KIND] + [1] * (PER_KIND - 1)
    assert (loops[0].first, loops[0].at, loops[0].failures) == (1_005, crash(95)[1].at, 95)
    assert loops[1:] == [crash(number)[1] for number in range(96, 100)]
    for _ in range(2):
        with opened(path) as again:
            assert again.of(KEY) == found
    assert [each.get("times") for each in shown(loops[:2])] == [101 - PER_KIND, None]


def test_what_comes_back_after_a_pause_is_no_repetition(tmp_path: Path) -> None:
    with opened(tmp_path / "history.jsonl") as history:
        for number in range(3 * PER_KIND):
            for each in crash(number, seconds=3601):
                history.add(KEY, each)
        assert {each.times for each in history.of(KEY)} == {1}


def test_what_operators_repeat_is_a_count_too(tmp_path: Path) -> None:
    with opened(tmp_path / "history.jsonl") as history:
        for number in range(2 * PER_KIND):
            for by in ("Ada", "Bob"):
                history.add(CHANGES, change_of("config.reload", at=number, by=by))
        found = [(each.by, each.times) for each in history.of(CHANGES)]
    assert found[:2] == [("Ada", PER_KIND + 1), ("Bob", PER_KIND + 1)]
    assert len(found) == 2 * PER_KIND


def test_what_is_shown_has_every_field(tmp_path: Path) -> None:
    with opened(tmp_path / "history.jsonl") as history:
        history.add(KEY, HistoryEntry(at=1, phase="running", incarnation=3))
        (found,) = shown(history.of(KEY))
        assert found == {
            "at": 1,
            "phase": "running",
            "incarnation": 3,
            "failures": 0,
            "cause": None,
            "text": None,
        }


def test_a_line_torn_by_a_kill_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with opened(path) as history:
        history.add(KEY, entry(1))
    path.write_bytes(path.read_bytes() + b'{"account": "irc:lib')
    with opened(path) as history:
        assert (history.of(KEY), history.warnings) == ([entry(1)], [])
        history.add(KEY, entry(2))
    with opened(path) as history:
        assert [one.at for one in history.of(KEY)] == [1, 2]


@pytest.mark.parametrize("damage", [b"garbage\n", b'{"account": 3}\n', b"\xff\xfe\n", b"[" * 9999])
def test_a_damaged_file_is_put_aside_and_what_is_whole_in_it_is_kept(
    tmp_path: Path, damage: bytes
) -> None:
    path = tmp_path / "history.jsonl"
    with opened(path) as history:
        history.add(KEY, entry(1))
    path.write_bytes(damage + b"\n" + path.read_bytes())
    with opened(path) as history:
        assert history.of(KEY) == [entry(1)]
        (warning,) = history.warnings
    (aside,) = tmp_path.glob("history.jsonl.damaged-*")
    assert aside.read_bytes().startswith(damage)
    assert str(aside) in warning
    with opened(path) as history:
        assert history.warnings == []


def test_a_file_that_is_too_large_is_put_aside_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_BYTES", 10)
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"x" * 11)
    with opened(path) as history:
        assert "too large" in history.warnings[0]
        assert not path.exists()


def test_a_file_that_may_not_be_read_is_put_aside_and_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root has left it: a later write would replace it."""
    path = tmp_path / "history.jsonl"
    path.write_text("of root")

    def denied(path: Path, most: int) -> bytes:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(module, "read_regular", denied)
    with opened(path) as history:
        history.add(KEY, entry(1))
        (warning,) = history.warnings
    (aside,) = tmp_path.glob("history.jsonl.damaged-*")
    assert aside.read_text() == "of root"
    assert "Permission denied" in warning
    assert f"kept as {aside}" in warning


def test_a_directory_in_its_place_costs_only_the_history(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.mkdir()
    with opened(path) as history:
        history.add(KEY, entry(1))
        assert "cannot be read" in history.warnings[0]
        assert history.of(KEY) == [entry(1)]


def test_what_could_not_be_written_is_written_when_the_disk_is_back(tmp_path: Path) -> None:
    place = tmp_path / "state"
    with opened(place / "history.jsonl") as history:
        history.add(KEY, entry(1))
        _drained(history)
        (warning,) = history.warnings
        assert "history.jsonl is not written: No such file or directory" in warning
        place.mkdir()
        history.add(KEY, entry(2))
        _drained(history)
        assert history.warnings == []
    with opened(place / "history.jsonl") as history:
        assert [one.at for one in history.of(KEY)] == [1, 2]


async def test_what_could_not_be_written_is_written_without_another_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.supervisor.accounts.history.RETRY_SECONDS", 0.05)
    place = tmp_path / "state"
    with opened(place / "history.jsonl") as history:
        history.add(KEY, entry(1))
        await until(lambda: history.warnings != [])
        place.mkdir()
        await until(lambda: history.warnings == [])
    with opened(place / "history.jsonl") as history:
        assert [one.at for one in history.of(KEY)] == [1]


def _drained(history: History) -> None:
    """Wait until the thread has tried to write what was there."""
    seen = threading.Event()
    append = history._append  # to know when it was tried

    def then(lines: object) -> None:
        append(lines)  # type: ignore[arg-type]  # passed on as it is
        seen.set()

    history._append = then  # type: ignore[method-assign,assignment]  # to know when it was tried
    for _ in range(int(10 * PATIENCE)):
        history.add("irc:other", entry(9))  # again: one that a new file has in it is not appended
        if seen.wait(0.1):
            return
    raise AssertionError("nothing has been appended")


def test_it_is_written_anew_when_it_has_grown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILE_BYTES", 20_000)
    path = tmp_path / "history.jsonl"
    with opened(path) as history:
        for number in range(2000):
            history.add(KEY, entry(number))
            if number % 100 == 0:
                _drained(history)
    assert path.stat().st_size < 25_000
    with opened(path) as history:
        assert history.last(KEY) == entry(1999)


def test_a_hanging_disk_blocks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "END_WITHIN", 0.05)
    monkeypatch.setattr(module, "WAITING", 5)
    goes_on = threading.Event()

    def wait(path: Path, flags: int) -> int:
        goes_on.wait()
        return open_to_write(path, flags)

    monkeypatch.setattr(module, "open_to_write", wait)
    path = tmp_path / "history.jsonl"
    path.touch()
    history = History(path)
    for number in range(100):
        history.add(KEY, entry(number))
    assert len(history.of(KEY)) == EVENTS
    assert history.dropped > 0
    history.close()  # returns although the thread still waits
    goes_on.set()
    while history._thread.is_alive():  # the queue was too full for the word that ends it
        history.close()


def test_a_named_pipe_in_its_place_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    os.mkfifo(path)
    with opened(path) as history:
        history.add(KEY, entry(1))
        for _ in range(2):  # the first write fails
            _drained(history)
    assert path.is_file()
    with opened(path) as history:
        assert history.of(KEY) == [entry(1)]


def test_an_account_that_is_gone_is_forgotten_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with opened(path) as history:
        history.add(OTHER, entry(2))
        _drained(history)  # the file is there, so that the next line is appended
        history.add(KEY, entry(1))
        history.delete(KEY)
        assert history.of(KEY) == []
    with opened(path) as history:
        assert history.of(KEY) == []
        assert history.of(OTHER) == [entry(2)]


def test_an_event_that_comes_while_the_file_is_renewed_is_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.jsonl"
    with opened(path) as history:
        renew = history._renew  # the only place between taking the queue and reading the memory
        renewed = threading.Event()

        def renew_after_one_more() -> None:
            monkeypatch.undo()
            history.add(KEY, entry(2))
            renew()
            renewed.set()

        monkeypatch.setattr(history, "_renew", renew_after_one_more)
        history.add(KEY, entry(1))
        assert renewed.wait(10)
    with opened(path) as history:
        assert history.of(KEY) == [entry(1), entry(2)]


def test_a_file_that_was_removed_is_written_anew_with_all_that_is_known(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with opened(path) as history:
        history.add(KEY, entry(1))
    with opened(path) as history:
        path.rename(tmp_path / "rotated")
        history.add(KEY, entry(2))
    with opened(path) as history:
        assert history.of(KEY) == [entry(1), entry(2)]


BEFORE = State(phase=Phase.RUNNING, incarnation=3, failures=2)


@pytest.mark.parametrize(
    ("state", "event", "lost", "text"),
    [
        (BEFORE, Reset(), 0, None),  # an operator would miss nothing
        (replace(BEFORE, failures=0), Reset(), 0, "failures forgiven"),
        (replace(BEFORE, phase=Phase.STARTING), Start(), 0, "started by an operator"),
        (
            replace(BEFORE, phase=Phase.STARTING),
            Start(True, "the network is back"),
            0,
            "the networ",
        ),
        (replace(BEFORE, phase=Phase.BACKOFF, reason="why"), Exited(3, Exit(code=1), 0), 4, "why"),
        (
            replace(BEFORE, phase=Phase.STOPPED, reason="why"),
            Exited(3, Exit(code=0), 0),
            4,
            "why; ",
        ),
    ],
)
def test_a_change_is_an_entry_in_words(
    state: State, event: Event, lost: int, text: str | None
) -> None:
    entry = entry_of(BEFORE, state, event, at=5, lost=lost, asked_until=9)
    assert (entry is None) == (text is None)
    if entry is not None:
        assert entry.text is not None
        assert entry.text.startswith(text or "")
        assert (entry.at, entry.asked_until, entry.phase) == (5, 9, state.phase.value)


def test_an_entry_names_its_author_and_a_note_changes_no_phase() -> None:
    stopping = replace(BEFORE, phase=Phase.STOPPING, cause="held")
    entry = entry_of(BEFORE, stopping, Stop(by="Ada"), at=5, lost=0, asked_until=None)
    assert entry is not None
    assert (entry.by, entry.note) == ("Ada", False)
    note = note_of(BEFORE, "a person was blocked", at=6, by="Ada")
    assert (note.phase, note.incarnation, note.failures) == ("running", 3, 2)
    assert (note.text, note.by, note.note) == ("a person was blocked", "Ada", True)
