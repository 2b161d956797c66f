"""When a change of the configuration file is noticed, and how often it is reported."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.supervisor.config_watch import (
    BURST_SECONDS,
    CHECK_SECONDS,
    Burst,
    ConfigWatch,
    signature,
)
from tests.support.until import until


def test_a_burst_is_over_after_some_quiet() -> None:
    burst = Burst(2.0)
    for number in range(20):
        burst.touch(number * 0.05)
    assert burst.due() == 0.95 + 2.0


def test_a_burst_without_end_is_over_at_the_limit() -> None:
    burst = Burst(2.0)
    for number in range(1000):
        burst.touch(100.0 + number)
    assert burst.due() == 100.0 + BURST_SECONDS


def test_without_a_change_nothing_is_due() -> None:
    burst = Burst(1.0)
    assert burst.due() is None
    burst.touch(5.0)
    burst.clear()
    assert burst.due() is None


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0, 60))
def test_it_is_never_due_before_the_last_change_but_for_the_limit(
    gaps: list[float], quiet: float
) -> None:
    burst, now, first = Burst(quiet), 0.0, gaps[0]
    for gap in gaps:
        now += gap
        burst.touch(now)
    due = burst.due()
    assert due is not None
    assert due >= min(now, first + BURST_SECONDS)
    assert due <= first + BURST_SECONDS


class WatchedFile:
    """A configuration file and its watch, which counts what it reports."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.quiet: float | None = 0.05
        self.reported = 0
        self._reports: asyncio.Queue[int] = asyncio.Queue()
        path.write_text("{}")
        self.watch = ConfigWatch(path, lambda: self.quiet, self._changed)

    def _changed(self) -> None:
        self.reported += 1
        self._reports.put_nowait(self.reported)

    async def report(self, number: int) -> None:
        """Wait for the report of this number."""
        async with asyncio.timeout(10.0):
            assert await self._reports.get() == number

    def rename_over(self, text: str) -> None:
        """Write as an editor does that keeps the old file until the new one is whole."""
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.replace(self.path)


@asynccontextmanager
async def watched(path: Path) -> AsyncIterator[WatchedFile]:
    file = WatchedFile(path)
    task = asyncio.create_task(file.watch.run())
    try:
        yield file
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_file_that_is_replaced_is_reported_each_time(tmp_path: Path) -> None:
    async with watched(tmp_path / "c.json5") as file:
        for count in (1, 2):
            file.rename_over("{}" + " " * count)
            await file.report(count)


async def test_a_link_that_is_swapped_is_followed(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "c.json5").write_text("{}")
    link = tmp_path / "now"
    link.symlink_to("old")
    async with watched(link / "c.json5") as file:
        (tmp_path / "swap").symlink_to("new")
        os.replace(tmp_path / "swap", link)
        file.watch.check()
        await file.report(1)


@pytest.mark.virtual_time
async def test_a_burst_is_reported_once(tmp_path: Path) -> None:
    file = WatchedFile(tmp_path / "c.json5")
    file.quiet = 2.0
    for count in range(5):
        file.rename_over("{}" + " " * count)
        file.watch.check()
        await asyncio.sleep(1.0)
    assert file.reported == 0
    await asyncio.sleep(1.5)
    assert file.reported == 1


@pytest.mark.virtual_time
async def test_an_ignored_change_is_not_reported_later(tmp_path: Path) -> None:
    file = WatchedFile(tmp_path / "c.json5")
    file.quiet = None
    file.rename_over("{ }")
    file.watch.check()
    file.quiet = 0.1
    file.watch.check()
    await asyncio.sleep(5.0)
    assert file.reported == 0


async def test_a_directory_that_is_gone_is_said_and_ends_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    file = WatchedFile(home / "c.json5")
    file.path.unlink()
    home.rmdir()
    task = asyncio.create_task(file.watch.run())
    await until(lambda: file.watch.failed, 10.0)
    assert "changes are noticed 3 s late" in str(file.watch.failed)
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])


async def silence(self: ConfigWatch) -> None:
    await asyncio.Event().wait()  # as inotify where the file alone is a bind mount


async def death(self: ConfigWatch) -> None:
    """Return, as a watcher whose thread has ended."""


@pytest.mark.virtual_time
@pytest.mark.parametrize("watcher", [silence, death])
async def test_a_change_without_an_event_is_noticed_within_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watcher: Callable[[ConfigWatch], Any]
) -> None:
    monkeypatch.setattr(ConfigWatch, "_watch", watcher)
    file = WatchedFile(tmp_path / "c.json5")
    task = asyncio.create_task(file.watch.run())
    await asyncio.sleep(10.0)
    assert file.reported == 0
    file.path.write_text("{  }")
    await asyncio.sleep(CHECK_SECONDS + 2 * file.quiet)  # type: ignore[operator]
    assert file.reported == 1
    task.cancel()
    await asyncio.wait([task])


def test_a_file_that_is_not_there_has_no_signature(tmp_path: Path) -> None:
    assert signature(tmp_path / "none") is None
