"""A value in a file: read, damaged, saved off the loop."""

from __future__ import annotations

import asyncio
import errno
import stat
import threading
from pathlib import Path

import msgspec
import pytest

from ipc import state_file
from ipc.state_file import StateFile


class Notes(msgspec.Struct):
    notes: dict[str, int] = {}


def state(path: Path) -> StateFile[Notes]:
    return StateFile(path, Notes)


def test_a_missing_file_is_no_damage(tmp_path: Path) -> None:
    file = state(tmp_path / "notes.json")
    assert file.load() is None
    assert file.damage is None


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    state(path).write(Notes({"a": 1}))
    file = state(path)
    assert file.load() == file.on_disk == Notes({"a": 1})
    assert path.read_text() == '{\n  "notes": {\n    "a": 1\n  }\n}'


def test_a_file_that_others_may_read_becomes_private(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    path.write_text("{}")
    path.chmod(0o644)
    assert state(path).load() == Notes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_of_another_user_that_can_be_read_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that root has written: its mode cannot be changed, but it can be replaced."""
    path = tmp_path / "notes.json"
    path.write_text('{"notes": {"a": 1}}')
    path.chmod(0o644)

    def refuse(self: Path, mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    file = state(path)
    assert (file.load(), file.damage) == (Notes({"a": 1}), None)
    file.write(Notes({"b": 2}))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("data", [b"{", b'{"notes": 1}', b'{"notes": {"\xff": 1}}', b"[" * 5000])
def test_a_damaged_file_is_set_aside(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "notes.json"
    path.write_bytes(data)
    file = state(path)
    assert file.load() is None
    assert file.damage is not None
    assert file.damage.kept.read_bytes() == data
    assert not path.exists()


def test_what_cannot_be_read_is_set_aside_before_a_save_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    path.mkdir()
    file = state(path)
    with pytest.raises(IsADirectoryError):
        file.read()
    assert path.is_dir()
    assert file.load() is None
    assert file.damage is not None
    assert file.damage.reason.startswith("cannot be read: ")
    file.write(Notes())
    assert path.is_file()
    assert file.damage.kept.is_dir()


async def test_a_save_is_on_disk_when_it_returns(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    assert await state(path).save(Notes({"a": 1}))
    assert state(path).load() == Notes({"a": 1})


async def test_the_loop_runs_while_the_disk_is_slow_and_changes_share_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, written = threading.Event(), threading.Event(), []

    def slowly(path: Path, data: bytes) -> None:
        begun.set()
        assert go_on.wait(10)
        written.append(msgspec.json.decode(data, type=Notes).notes)

    monkeypatch.setattr(state_file, "write_atomically", slowly)
    file = state(tmp_path / "notes.json")
    first = asyncio.create_task(file.save(Notes({"a": 1})))
    await asyncio.to_thread(begun.wait, 10)
    file.save_soon(Notes({"a": 2}))
    last = asyncio.create_task(file.save(Notes({"a": 3})))
    await asyncio.sleep(0)
    assert not first.done()
    go_on.set()
    assert await first
    assert await last
    assert written == [{"a": 1}, {"a": 3}]
    assert file.on_disk == Notes({"a": 3})


async def test_a_value_may_be_changed_while_an_earlier_state_is_written(tmp_path: Path) -> None:
    file = state(tmp_path / "notes.json")
    notes = Notes({"a": 1})
    file.save_soon(notes)
    notes.notes["b"] = 2
    file.save_soon(notes)
    assert await file.wait_saved()
    assert state(file.path).load() == Notes({"a": 1, "b": 2})


async def test_a_save_that_fails_is_reported_and_the_next_one_makes_up_for_it(
    tmp_path: Path,
) -> None:
    errors: list[OSError] = []
    place = tmp_path / "absent"
    file = StateFile(place / "notes.json", Notes, on_error=errors.append)
    assert not await file.save(Notes({"a": 1}))
    assert file.on_disk is None
    assert [error.errno for error in errors] == [errno.ENOENT]
    place.mkdir()
    assert await file.save(Notes({"a": 2}))
    assert file.on_disk == Notes({"a": 2})


async def test_a_waiter_that_gives_up_stops_no_write(tmp_path: Path) -> None:
    file = state(tmp_path / "notes.json")
    waiter = asyncio.create_task(file.save(Notes({"a": 1})))
    await asyncio.sleep(0)
    waiter.cancel()
    assert await file.wait_saved()
    assert file.on_disk == Notes({"a": 1})


async def test_saving_a_value_that_cannot_be_encoded_returns_false(tmp_path: Path) -> None:
    file: StateFile[object] = StateFile(tmp_path / "notes.json", object)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    assert not await file.save(object())
    assert await file.save({})
