"""What keeps a file from being read, and how one is written."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ipc.files import lock_directory
from runtime.config import files
from runtime.config.errors import ConfigError
from runtime.config.files import create, is_mounted, locked, make_private, read_text, replace
from tests.runtime.config.example import write


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_text(tmp_path / "none.json5")
    assert str(caught.value) == f"{tmp_path}/none.json5: cannot be read: No such file or directory"


def test_a_directory_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trunkline.json5").mkdir()
    with pytest.raises(ConfigError, match=r"trunkline\.json5: is not a file"):
        read_text(tmp_path / "trunkline.json5")


def test_a_named_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "trunkline.json5")
    with pytest.raises(ConfigError, match=r"trunkline\.json5: is not a file"):
        read_text(tmp_path / "trunkline.json5")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write(tmp_path, "{}")
    path.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        read_text(path)


def test_a_circular_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trunkline.json5").symlink_to("trunkline.json5")
    with pytest.raises(ConfigError, match="cannot be read: Too many levels of symbolic links"):
        read_text(tmp_path / "trunkline.json5")


def test_an_unknown_ending_of_the_name_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a: 1", "trunkline.yaml")
    with pytest.raises(ConfigError) as caught:
        read_text(path)
    said = "the name ends in '.yaml'; allowed: .json5, .json, .toml"
    assert str(caught.value) == f"{path}: {said}"


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 10)
    assert read_text(write(tmp_path, "{        }")) == "{        }"
    with pytest.raises(ConfigError, match="is larger than 10 bytes, the most that is allowed"):
        read_text(write(tmp_path, "{         }"))


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "trunkline.json5"
    path.write_bytes(b"{\n// caf\xe9\n}")
    with pytest.raises(ConfigError) as caught:
        read_text(path)
    assert str(caught.value) == f"{path}:2: is not UTF-8 text: byte 0xe9"


def test_a_new_file_is_private_and_never_replaces_one(tmp_path: Path) -> None:
    path = tmp_path / "trunkline.json5"
    create(path, "{}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        create(path, "{gateway: {}}")
    assert path.read_text() == "{}"
    assert list(tmp_path.iterdir()) == [path]


def test_mode_link_and_the_old_text_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path, "old")
    path.chmod(0o640)
    (tmp_path / "link").mkdir()
    link = tmp_path / "link" / "trunkline.json5"
    link.symlink_to(path)
    replace(link, "new")
    assert link.is_symlink()
    backup = tmp_path / "trunkline.json5.bak"
    assert (path.read_text(), backup.read_text()) == ("new", "old")
    assert {stat.S_IMODE(each.stat().st_mode) for each in (path, backup)} == {0o640}
    assert sorted(tmp_path.iterdir()) == [link.parent, path, backup]


def test_a_full_disk_leaves_the_file_untouched(tmp_path: Path) -> None:
    path = write(tmp_path, "old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            replace(path, "x" * 200)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_text() == "old"
    assert {each.name for each in tmp_path.iterdir()} <= {path.name, f"{path.name}.bak"}


def test_a_failure_names_the_file_and_no_temporary_one(tmp_path: Path) -> None:
    path = write(tmp_path, "old")
    for wrong, error in ((path / "x.json5", NotADirectoryError), (path, FileExistsError)):
        with pytest.raises(error) as raised:
            create(wrong, "new")
        assert (raised.value.filename, raised.value.filename2) == (str(wrong), None)
    backup = tmp_path / "trunkline.json5.bak"
    backup.mkdir()
    with pytest.raises(IsADirectoryError) as failed:
        replace(path, "new")
    assert (failed.value.filename, failed.value.filename2) == (str(backup), None)


def test_a_directory_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    make_private(tmp_path / "open" / "deep" / "new")
    modes = [stat.S_IMODE((tmp_path / each).stat().st_mode) for each in ("open", "open/deep/new")]
    assert modes == [0o755, 0o700]


def test_one_edit_at_a_time_holds_the_lock(tmp_path: Path) -> None:
    path = write(tmp_path, "{}")
    with locked(path), pytest.raises(BlockingIOError):
        lock_directory(tmp_path, wait=False)
    os.close(lock_directory(tmp_path, wait=False))


def test_where_no_directory_is_none_is_locked_and_nothing_is_made(tmp_path: Path) -> None:
    said = "cannot be read: No such file or directory"
    with pytest.raises(ConfigError, match=said), locked(tmp_path / "none" / "trunkline.json5"):
        pass
    assert list(tmp_path.iterdir()) == []


@contextmanager
def mounted_alone(path: Path) -> Iterator[None]:
    """Mount a file over itself, as containers do with a single file."""
    try:
        made = subprocess.run(["mount", "--bind", str(path), str(path)], capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no mount(8)")
    if made.returncode:
        pytest.skip("nothing may be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("a name.json5", "x"),
        ("a name.json5", "a text that is longer than the one before"),
        ("ä → \\040.json5", "x"),
        ("a\tname\nof two lines.json5", "x"),
    ],
)
def test_a_file_that_is_mounted_alone_is_written_in_place_beside_a_copy(
    tmp_path: Path, name: str, after: str
) -> None:
    path = tmp_path / name
    path.write_text("the old text")
    assert not is_mounted(path)
    with mounted_alone(path):
        assert is_mounted(path)
        replace(path, after)
        assert path.read_text() == after
    assert path.read_text() == after  # it is the file below the mount
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {
        name: after,
        f"{name}.bak": "the old text",
    }


def test_a_write_in_place_that_fails_puts_the_old_text_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.json5"
    path.write_text("the old text")

    def full(fd: int, data: bytes) -> None:
        os.pwrite(fd, data[:5], 0)
        monkeypatch.undo()  # the old text needs no more room than it had
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_overwrite", full)
    with mounted_alone(path), pytest.raises(OSError, match="No space"):
        replace(path, "NEW text, which is longer")
    assert path.read_text() == "the old text"
