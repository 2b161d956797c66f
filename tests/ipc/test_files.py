"""Files that survive a crash: atomic writes, damaged files, locks."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ipc.files import (
    lock,
    lock_directory,
    move_aside,
    open_to_write,
    read_beginning,
    read_regular,
    set_aside,
    write_atomically,
)


@pytest.mark.parametrize("place", ["pipe", "directory", "zero", "large"])
def test_only_a_file_of_a_moderate_size_is_read(tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "large").write_bytes(b"x" * 11)
    with pytest.raises(OSError, match=r"it is not a file|it is too large") as caught:
        read_regular(tmp_path / place, 10)
    assert caught.value.filename == str(tmp_path / place)
    if place != "large":
        with pytest.raises(OSError, match="it is not a file"):
            read_beginning(tmp_path / place, 10)


def test_a_file_is_read_through_a_link_and_a_missing_one_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 10)
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link", 10) == b"x" * 10
    assert read_beginning(tmp_path / "link", 4) == b"x" * 4
    assert read_beginning(tmp_path / "link", 100) == b"x" * 10
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "none")


def test_a_file_is_opened_to_write_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for flags, data in ((0, b"begun"), (os.O_APPEND, b" and more"), (os.O_TRUNC, b"anew")):
        fd = open_to_write(path, flags)
        os.write(fd, data)
        os.close(fd)
        assert path.read_bytes().endswith(data)
    assert path.read_bytes() == b"anew"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_named_pipe_is_waited_for_where_a_file_is_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device"):
        open_to_write(tmp_path / "pipe")


def test_a_file_is_replaced_with_its_mode_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "note"
    path.write_bytes(b"old")
    write_atomically(path, b"new", mode=0o640)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["note"]


def test_a_failed_write_leaves_the_old_file_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "note"
    path.mkdir()  # rename(2) cannot replace a directory
    with pytest.raises(IsADirectoryError):
        write_atomically(path, b"new")
    assert os.listdir(tmp_path) == ["note"]
    with pytest.raises(FileNotFoundError) as raised:
        write_atomically(tmp_path / "absent" / "note", b"new")
    assert "absent" in str(raised.value)


def test_a_failure_names_the_file_and_no_temporary_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "note").mkdir()
    for path in (tmp_path / "file" / "note", tmp_path / "absent" / "note", tmp_path / "note"):
        with pytest.raises(OSError, match="note") as raised:
            write_atomically(path, b"new")
        assert (raised.value.filename, raised.value.filename2) == (str(path), None)


def test_a_damaged_file_is_renamed_and_one_that_cannot_be_renamed_stays(tmp_path: Path) -> None:
    path = tmp_path / "note"
    path.write_bytes(b"{")
    kept = set_aside(path)
    assert kept.name.startswith("note.damaged-")
    assert kept.read_bytes() == b"{"
    assert set_aside(path) == path  # it is gone


def test_a_file_is_moved_aside_with_what_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    for end in ("", "-wal", "-other"):
        path.with_name(path.name + end).write_text(end)
    aside = move_aside(path, "replaced", ("-wal", "-shm"))
    assert aside.name.startswith("journal.db.replaced-")
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(
        ["journal.db-other", aside.name, f"{aside.name}-wal"]
    )


def test_a_lock_is_held_until_its_descriptor_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = lock(path, wait=False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(BlockingIOError):
        lock(path, wait=False)
    os.close(held)
    os.close(lock(path, wait=False))


def test_a_lock_of_a_directory_waits_for_the_process_that_holds_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ipc.files import lock_directory as lock;"
        " lock(Path(sys.argv[1]), wait=False); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError):
            lock_directory(tmp_path, wait=False)
        holder.stdin.close()  # it ends, and the kernel lets go of its lock
        os.close(lock_directory(tmp_path, wait=True))


def test_a_directory_that_is_gone_is_not_made_as_a_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        lock_directory(tmp_path / "gone", wait=True)
    with pytest.raises(FileNotFoundError):
        lock(tmp_path / "gone" / "file", wait=True)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        lock_directory(tmp_path / "file", wait=True)
    assert os.listdir(tmp_path) == ["file"]
