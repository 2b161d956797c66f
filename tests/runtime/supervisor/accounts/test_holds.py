from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from runtime.supervisor.accounts.history import HistoryEntry
from runtime.supervisor.accounts.holds import Holds, hold_in


def hold(holds: Holds, *keys: str, reason: str | None = None) -> bool:
    """Hold accounts; return whether that is on disk."""
    holds.hold_all(keys, reason)
    return holds.write()


def release(holds: Holds, *keys: str) -> bool:
    """Release accounts; return whether that is on disk."""
    holds.release_all(keys)
    return holds.write()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "holds.json"


def test_a_hold_survives_a_restart_with_its_reason_and_time(path: Path) -> None:
    assert hold(Holds(path), "irc:libera", reason="maintenance")
    kept = Holds(path).get("irc:libera")
    assert kept is not None
    assert kept.reason == "maintenance"
    assert kept.at > 1_600_000_000_000


def test_a_release_survives_a_restart(path: Path) -> None:
    holds = Holds(path)
    hold(holds, "irc:a")
    hold(holds, "irc:b")
    assert release(holds, "irc:a")
    assert list(Holds(path).all()) == ["irc:b"]


def test_releasing_what_is_not_held_is_no_error(path: Path) -> None:
    assert release(Holds(path), "irc:a")


def test_holding_again_keeps_the_first_time_and_takes_a_new_reason(path: Path) -> None:
    holds = Holds(path)
    hold(holds, "irc:a", reason="first")
    first = holds.get("irc:a")
    hold(holds, "irc:a")
    assert holds.get("irc:a") == first
    hold(holds, "irc:a", reason="second")
    second = holds.get("irc:a")
    assert first is not None
    assert second is not None
    assert (second.at, second.reason) == (first.at, "second")


def test_only_its_owner_may_read_the_file(path: Path) -> None:
    hold(Holds(path), "irc:a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {each.name for each in path.parent.iterdir()} == {"holds.json", "holds.json.1"}


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"irc:a": 3}', b"\xff\xfe\x00"])
def test_a_damaged_file_is_kept_aside_and_warned_of(path: Path, damage: bytes) -> None:
    path.write_bytes(damage)
    holds = Holds(path)
    assert holds.all() == {}
    (kept,) = path.parent.glob("holds.json.damaged-*")
    assert kept.read_bytes() == damage
    (warning,) = holds.warnings
    assert str(kept) in warning
    assert hold(holds, "irc:b")
    assert list(Holds(path).all()) == ["irc:b"]


def test_a_hold_that_cannot_be_written_lasts_in_memory_and_says_so(tmp_path: Path) -> None:
    holds = Holds(tmp_path / "gone" / "holds.json")  # as when the directory vanished
    assert not hold(holds, "irc:a")
    assert holds.get("irc:a") is not None
    assert holds.unsaved == ["irc:a"]
    assert holds.warnings == [
        "not on disk, and forgotten at the next start: the hold of irc:a"
        f" ({holds.path}: No such file or directory)"
    ]
    assert not release(holds, "irc:a")
    assert holds.get("irc:a") is None
    assert holds.warnings == []


def test_a_release_that_cannot_be_written_is_warned_of(path: Path) -> None:
    path.parent.joinpath("state").mkdir()
    holds = Holds(path.parent / "state" / "holds.json")
    assert hold(holds, "irc:a", "irc:b")
    shutil.rmtree(holds.path.parent)
    assert not release(holds, "irc:a")
    assert holds.unsaved == []
    assert holds.warnings == [
        "still on disk, and in force at the next start: the hold of irc:a"
        f" ({holds.path}: No such file or directory)"
    ]
    holds.path.parent.mkdir()
    assert hold(holds, "irc:b")
    assert holds.warnings == []


def test_a_full_disk_leaves_the_old_file_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    holds = Holds(path)
    hold(holds, "irc:a")
    monkeypatch.setattr("ipc.state_file.write_atomically", full)
    assert not hold(holds, "irc:b")
    assert list(Holds(path).all()) == ["irc:a"]
    assert list(holds.all()) == ["irc:a", "irc:b"]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["directory", "named pipe"])
def test_a_file_that_cannot_be_read_is_warned_of(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    holds = Holds(path)
    assert holds.all() == {}
    assert "cannot be read" in holds.warnings[0]


def test_a_damaged_file_that_cannot_be_moved_does_not_stop_the_start(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    path.write_bytes(b"{")
    monkeypatch.setattr(Path, "replace", refuse)
    assert "damaged" in Holds(path).warnings[0]


async def test_a_hold_is_on_disk_when_it_is_reported_as_saved(path: Path) -> None:
    holds = Holds(path)
    holds.hold_all(["irc:a"], "night")
    holds.save_soon()
    assert await holds.wait_saved()
    assert list(Holds(path).all()) == ["irc:a"]
    holds.release_all(["irc:a"])
    holds.save_soon()
    assert await holds.wait_saved()
    assert Holds(path).all() == {}


async def test_a_write_in_a_thread_that_fails_is_reported(tmp_path: Path) -> None:
    holds = Holds(tmp_path / "gone" / "holds.json")
    holds.hold_all(["irc:a"])
    holds.save_soon()
    assert not await holds.wait_saved()
    assert holds.unsaved == ["irc:a"]


def entry(phase: str, cause: str | None = None) -> HistoryEntry:
    return HistoryEntry(at=5, phase=phase, incarnation=1, cause=cause, text=cause)


HELD = [entry("running"), entry("stopping", "held"), entry("stopped", "held")]
HELD_AT_THE_END = [*HELD, entry("stopped", "shutdown")]
RAN = [entry("stopped", "held"), entry("starting"), entry("running")]
RAN_AT_THE_END = [*RAN, entry("stopping", "shutdown"), entry("stopped", "shutdown")]
SILENT = [entry("stopped", "shutdown")]
NOTE = replace(entry("running", None), note=True)


@pytest.mark.parametrize(
    ("entries", "held"),
    [
        (HELD, True),
        (HELD_AT_THE_END, True),
        ([*HELD, entry("stopped", "disabled")], True),
        (RAN, False),
        (RAN_AT_THE_END, False),
        ([*HELD, entry("backoff", "killed")], False),
        (SILENT, False),
        ([], False),
        ([entry("stopped", "hold_unknown")], True),
        ([*HELD, NOTE], True),  # a note of what changed no phase says nothing of it
        ([*RAN, NOTE], False),
    ],
)
def test_the_history_tells_of_a_hold(entries: list[HistoryEntry], held: bool) -> None:
    assert (hold_in(entries) is not None) is held


def damage(path: Path) -> None:
    path.write_bytes(b"{")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("spoil", [damage, empty, remove])
def test_the_second_copy_keeps_all_holds(path: Path, spoil: Callable[[Path], None]) -> None:
    hold(Holds(path), "irc:a", reason="night")
    spoil(path)
    holds = Holds(path)
    holds.recover(["irc:a", "irc:b"], lambda key: [])
    assert {key: each.reason for key, each in holds.all().items()} == {"irc:a": "night"}
    assert any("irc:a" in warning for warning in holds.warnings)
    again = Holds(path)  # it is on disk again
    assert (list(again.all()), again.warnings) == (["irc:a"], [])


def test_without_both_copies_the_history_says_and_what_it_does_not_say_is_unknown(
    path: Path,
) -> None:
    past = {"irc:held": HELD_AT_THE_END, "irc:ran": RAN_AT_THE_END, "irc:silent": SILENT}
    hold(Holds(path), *past)
    for each in (path, path.with_name("holds.json.1")):
        each.write_bytes(b"no JSON")
    holds = Holds(path)
    holds.recover([*past, "irc:new"], lambda key: past.get(key, []))
    found = {key: each.unknown for key, each in holds.all().items()}
    assert found == {"irc:held": False, "irc:silent": True, "irc:new": True}
    assert Holds(path).all() == holds.all()  # unknown until a person has said
    hold(holds, "irc:new")
    (kept,) = [each for key, each in holds.all().items() if key == "irc:new"]
    assert (kept.unknown, kept.reason) == (False, None)


@pytest.mark.parametrize(
    ("spoil", "spoil_copy", "unknown"),
    [(remove, remove, False), (remove, damage, True), (damage, remove, True)],
)
def test_without_the_files_the_history_says_who_was_held(
    path: Path,
    spoil: Callable[[Path], None],
    spoil_copy: Callable[[Path], None],
    unknown: bool,
) -> None:
    """Of removed files it is not certain that there were any: nobody else waits for a person."""
    past = {"irc:held": HELD_AT_THE_END, "irc:ran": RAN_AT_THE_END, "irc:silent": SILENT}
    hold(Holds(path), "irc:held")
    spoil(path)
    spoil_copy(path.with_name("holds.json.1"))
    holds = Holds(path)
    holds.recover(list(past), lambda key: past[key])
    found = {key: each.unknown for key, each in holds.all().items()}
    assert found == {"irc:held": False} | ({"irc:silent": True} if unknown else {})
    assert holds.warnings
    assert Holds(path).all() == holds.all()  # on disk again


def test_a_first_start_and_an_earlier_version_need_no_recovery(path: Path) -> None:
    holds = Holds(path)
    holds.recover(["irc:a"], lambda key: [])
    assert (holds.all(), holds.warnings) == ({}, [])
    path.write_text('{"irc:a": {"at": 1}}')  # without a second copy
    holds = Holds(path)
    holds.recover(["irc:a", "irc:b"], lambda key: [])
    assert (list(holds.all()), holds.warnings) == (["irc:a"], [])
    path.write_bytes(b"{")
    holds = Holds(path)
    assert list(holds.all()) == ["irc:a"]  # it was copied at once
