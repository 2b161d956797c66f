from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

import runtime.supervisor.accounts.holds
from runtime.supervisor.accounts.holds import Holds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "holds.json"


def test_a_hold_survives_a_restart_with_its_reason_and_time(path: Path) -> None:
    assert Holds(path).hold("irc:libera", "maintenance")
    hold = Holds(path).get("irc:libera")
    assert hold is not None
    assert hold.reason == "maintenance"
    assert hold.at > 1_600_000_000_000


def test_a_release_survives_a_restart(path: Path) -> None:
    holds = Holds(path)
    holds.hold("irc:a")
    holds.hold("irc:b")
    assert holds.release("irc:a")
    assert list(Holds(path).all()) == ["irc:b"]


def test_releasing_what_is_not_held_is_no_error(path: Path) -> None:
    assert Holds(path).release("irc:a")


def test_holding_again_keeps_the_first_time_and_takes_a_new_reason(path: Path) -> None:
    holds = Holds(path)
    holds.hold("irc:a", "first")
    first = holds.get("irc:a")
    holds.hold("irc:a")
    assert holds.get("irc:a") == first
    holds.hold("irc:a", "second")
    second = holds.get("irc:a")
    assert first is not None
    assert second is not None
    assert (second.at, second.reason) == (first.at, "second")


def test_only_its_owner_may_read_the_file(path: Path) -> None:
    Holds(path).hold("irc:a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["holds.json"]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"irc:a": 3}', b"\xff\xfe\x00"])
def test_a_damaged_file_is_kept_aside_and_warned_of(path: Path, damage: bytes) -> None:
    path.write_bytes(damage)
    holds = Holds(path)
    assert holds.all() == {}
    (kept,) = path.parent.glob("holds.json.damaged-*")
    assert kept.read_bytes() == damage
    (warning,) = holds.warnings
    assert str(kept) in warning
    assert holds.hold("irc:b")
    assert list(Holds(path).all()) == ["irc:b"]


def test_a_hold_that_cannot_be_written_lasts_in_memory_and_says_so(tmp_path: Path) -> None:
    holds = Holds(tmp_path / "gone" / "holds.json")  # as when the directory vanished
    assert not holds.hold("irc:a")
    assert holds.get("irc:a") is not None
    assert holds.unsaved == ["irc:a"]
    assert holds.warnings == ["not on disk, and forgotten at the next start: the hold of irc:a"]
    assert not holds.release("irc:a")
    assert holds.get("irc:a") is None
    assert holds.warnings == []


def test_a_release_that_cannot_be_written_is_warned_of(path: Path) -> None:
    path.parent.joinpath("state").mkdir()
    holds = Holds(path.parent / "state" / "holds.json")
    assert holds.hold_all(["irc:a", "irc:b"])
    shutil.rmtree(holds.path.parent)
    assert not holds.release("irc:a")
    assert holds.unsaved == []
    assert holds.warnings == ["still on disk, and in force at the next start: the hold of irc:a"]
    holds.path.parent.mkdir()
    assert holds.hold("irc:b")
    assert holds.warnings == []


def test_a_full_disk_leaves_the_old_file_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    holds = Holds(path)
    holds.hold("irc:a")
    monkeypatch.setattr(runtime.supervisor.accounts.holds, "write_atomically", full)
    assert not holds.hold("irc:b")
    assert list(Holds(path).all()) == ["irc:a"]
    assert list(holds.all()) == ["irc:a", "irc:b"]


def test_a_file_that_cannot_be_read_is_warned_of(path: Path) -> None:
    path.mkdir()
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
