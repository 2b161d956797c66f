"""What keeps a file from being read, and how one is written."""

from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

import pytest

from ipc.files import lock
from runtime.config import files
from runtime.config.errors import ConfigError
from runtime.config.files import create, locked, make_private, read_text, replace
from tests.runtime.config.example import write


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_text(tmp_path / "none.json5")
    assert str(caught.value) == f"{tmp_path}/none.json5: cannot be read: No such file or directory"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
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


def test_a_link_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "trunkline.json5").symlink_to("trunkline.json5")
    with pytest.raises(ConfigError, match="cannot be read: Too many levels of symbolic links"):
        read_text(tmp_path / "trunkline.json5")


def test_an_unknown_kind_of_file(tmp_path: Path) -> None:
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
    assert ".new" not in str(list(tmp_path.iterdir()))


def test_a_directory_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    make_private(tmp_path / "open" / "deep" / "new")
    modes = [stat.S_IMODE((tmp_path / each).stat().st_mode) for each in ("open", "open/deep/new")]
    assert modes == [0o755, 0o700]


def test_one_edit_at_a_time_holds_the_lock(tmp_path: Path) -> None:
    path = write(tmp_path, "{}")
    with locked(path), pytest.raises(BlockingIOError):
        lock(tmp_path, wait=False)
    os.close(lock(tmp_path, wait=False))


def test_where_no_directory_is_none_is_locked_and_nothing_is_made(tmp_path: Path) -> None:
    said = "cannot be read: No such file or directory"
    with pytest.raises(ConfigError, match=said), locked(tmp_path / "none" / "trunkline.json5"):
        pass
    assert list(tmp_path.iterdir()) == []
