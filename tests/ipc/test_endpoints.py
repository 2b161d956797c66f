"""Socket directories: ours, private, and short enough."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ipc.endpoints import (
    MAX_PATH_BYTES,
    SocketPaths,
    check_path,
    confined_run_dir,
    socket_path,
)
from ipc.errors import EndpointError


def test_the_directory_is_made_for_us_alone(short_path: Path) -> None:
    places = SocketPaths(short_path / "deep" / "run")
    places.prepare()
    places.prepare()
    assert stat.S_IMODE(places.run_dir.stat().st_mode) == 0o700
    assert socket_path(places.control).parent == places.run_dir
    assert socket_path(places.data).parent == places.run_dir
    assert places.cli.parent == places.run_dir


def test_sockets_of_tests_have_no_room_in_tmp_path(tmp_path: Path, short_path: Path) -> None:
    """What needs a ``ShortDirectory`` fails everywhere without, not under a long TMPDIR only."""
    with pytest.raises(EndpointError, match="too long for a socket path"):
        SocketPaths(tmp_path).prepare()
    SocketPaths(short_path).prepare()


def test_a_directory_open_to_others_is_closed(short_path: Path) -> None:
    run = short_path / "run"
    run.mkdir(mode=0o777)
    run.chmod(0o777)
    SocketPaths(run).prepare()
    assert stat.S_IMODE(run.stat().st_mode) == 0o700


def test_a_symbolic_link_is_refused(short_path: Path) -> None:
    (short_path / "elsewhere").mkdir(mode=0o755)
    (short_path / "run").symlink_to(short_path / "elsewhere")
    with pytest.raises(EndpointError, match=r"run: not a directory; set TRUNKLINE_RUNTIME_DIR"):
        SocketPaths(short_path / "run").prepare()
    assert stat.S_IMODE((short_path / "elsewhere").stat().st_mode) == 0o755


def test_a_file_in_place_of_the_directory_is_refused(short_path: Path) -> None:
    (short_path / "run").write_text("")
    with pytest.raises(EndpointError, match="run"):
        SocketPaths(short_path / "run").prepare()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_refused(short_path: Path) -> None:
    run = short_path / "run"
    run.mkdir()
    os.chown(run, 12345, 12345)
    for check in (SocketPaths(run).prepare, SocketPaths(run).require_ours):
        with pytest.raises(EndpointError, match="belongs to user 12345"):
            check()


def test_a_place_that_cannot_be_made_is_named() -> None:
    with pytest.raises(EndpointError, match="/proc/nothing/run"):
        SocketPaths(Path("/proc/nothing/run")).prepare()


def test_a_path_that_is_too_long_is_named_with_its_length_and_the_cure(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    with pytest.raises(EndpointError) as caught:
        SocketPaths(long).prepare()
    for part in (str(long), "bytes", "107", "TRUNKLINE_RUNTIME_DIR", "XDG_RUNTIME_DIR"):
        assert part in str(caught.value)
    assert not long.exists()


def test_length_counts_bytes_not_characters() -> None:
    check_path(Path("/" + "x" * (MAX_PATH_BYTES - 1)))
    with pytest.raises(EndpointError, match="108 bytes"):
        check_path(Path("/" + "x" * MAX_PATH_BYTES))
    with pytest.raises(EndpointError, match="109 bytes"):
        check_path(Path("/" + "é" * 54))


def test_each_confined_account_has_a_short_directory_of_its_own() -> None:
    run_dir = Path("/run/tl")
    made = {confined_run_dir(run_dir, f"irc:{'x' * 64}{number}") for number in range(100)}
    assert len(made) == 100
    assert {(each.parent, len(each.name)) for each in made} == {(run_dir, 8)}
