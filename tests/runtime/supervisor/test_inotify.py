"""Which changes in a directory are reported, and how often."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.supervisor.inotify import STEP, DirectoryWatch
from tests.support.until import until


def swap_link(directory: Path) -> None:
    (directory / "link").symlink_to("elsewhere")
    os.replace(directory / "link", directory / "now")


CHANGES: dict[str, Callable[[Path], object]] = {
    "written": lambda directory: (directory / "file").write_text("new"),
    "made": lambda directory: (directory / "another").write_text(""),
    "renamed over": lambda directory: (directory / "beside").replace(directory / "file"),
    "moved away": lambda directory: (directory / "file").rename(directory.parent / "away"),
    "removed": lambda directory: (directory / "file").unlink(),
    "mode": lambda directory: (directory / "file").chmod(0o600),
    "times": lambda directory: os.utime(directory / "file", (1, 1)),
    "link swapped": swap_link,
    "directory moved": lambda directory: directory.rename(directory.with_name("moved")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_each_kind_of_change_is_reported(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    watched = tmp_path / "watched"
    watched.mkdir()
    for name in ("file", "beside"):
        (watched / name).write_text("old")
    (watched / "now").symlink_to("there")
    events: list[None] = []
    watch = DirectoryWatch([tmp_path / "watched"], lambda: events.append(None))
    change(watched)
    await until(lambda: events)
    watch.close()


async def test_what_happens_in_another_directory_is_not_reported(tmp_path: Path) -> None:
    below = tmp_path / "below"
    below.mkdir()
    (below / "file").write_text("")
    events: list[str] = []
    above = DirectoryWatch([tmp_path], lambda: events.append("above"))
    beside = DirectoryWatch([below], lambda: events.append("below"))
    (below / "file").write_text("new")
    await until(lambda: events)
    await asyncio.sleep(2 * STEP)
    assert set(events) == {"below"}
    above.close()
    beside.close()


@pytest.mark.virtual_time
async def test_a_neighbour_that_is_written_all_the_time_is_reported_now_and_then(
    tmp_path: Path,
) -> None:
    """A step after the first event it is reported, and what comes next begins another step."""
    loop = asyncio.get_running_loop()
    reported: list[float] = []
    watch = DirectoryWatch([tmp_path], lambda: reported.append(loop.time() / STEP))
    for written in range(20):
        (tmp_path / "neighbour").write_text(str(written))
        await asyncio.sleep(0.3 * STEP)
    assert reported == pytest.approx([1.0, 2.2, 3.4, 4.6, 5.8])
    watch.close()


async def test_nothing_is_reported_after_the_end(tmp_path: Path) -> None:
    events: list[None] = []
    watch = DirectoryWatch([tmp_path], lambda: events.append(None))
    (tmp_path / "file").write_text("")
    watch.close()
    watch.close()
    await asyncio.sleep(2 * STEP)
    assert not events


@pytest.mark.parametrize(
    ("name", "number"), [("none", errno.ENOENT), ("file", errno.ENOTDIR)], ids=["gone", "a file"]
)
async def test_what_cannot_be_watched_is_named(tmp_path: Path, name: str, number: int) -> None:
    (tmp_path / "file").write_text("")
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=name) as raised:
        DirectoryWatch([tmp_path, tmp_path / name], lambda: None)
    assert raised.value.errno == number
    assert set(os.listdir("/proc/self/fd")) <= before
