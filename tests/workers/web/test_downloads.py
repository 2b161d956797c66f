"""A file is tried again as long as that can help, and few are downloaded at the same time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ipc.frames.bootstrap import MediaBoot
from workers.media.store import MediaStore
from workers.messages import Attachment
from workers.web.downloads import (
    AT_ONCE,
    FileDownloads,
    FileFacts,
    FileNotGiven,
    Sleep,
    cut_off,
    download_times,
)

STORED = Attachment("media:1", "text/plain", "a.txt", 5)
LATER = FileNotGiven("busy", again=True)
NEVER = FileNotGiven("gone")


async def at_once(seconds: float) -> None:
    """Wait for nothing."""


def downloads(place: Path, sleep: Sleep = at_once) -> FileDownloads:
    return FileDownloads(MediaStore(MediaBoot(str(place))), 100, sleep=sleep)


@pytest.mark.parametrize(
    ("answers", "missing", "pauses"),
    [
        ([STORED], None, []),
        ([LATER, STORED], None, [1.0]),
        ([LATER, LATER, STORED], None, [1.0, 2.0]),
        ([LATER, LATER, LATER, STORED], "busy", [1.0, 2.0]),
        ([NEVER, STORED], "gone", []),
        ([LATER, NEVER, STORED], "gone", [1.0]),
    ],
)
async def test_what_may_pass_is_tried_again(
    tmp_path: Path, answers: list[Any], missing: str | None, pauses: list[float]
) -> None:
    waited: list[float] = []
    left = list(answers)

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def fetch() -> Attachment:
        answer = left.pop(0)
        if isinstance(answer, FileNotGiven):
            raise answer
        assert isinstance(answer, Attachment)
        return answer

    found = await downloads(tmp_path, sleep).stored(FileFacts("a.txt", "text/plain", 5), fetch)
    assert found.missing == missing
    assert (found.name, found.mime_type, found.size_bytes) == ("a.txt", "text/plain", 5)
    assert waited == pauses


@pytest.mark.parametrize(
    ("size", "missing"),
    [(None, None), (100, None), (101, "a file of more than 100 bytes is not downloaded")],
)
async def test_a_file_that_is_too_large_is_not_asked_for(
    tmp_path: Path, size: int | None, missing: str | None
) -> None:
    asked = []

    async def fetch() -> Attachment:
        asked.append(size)
        return STORED

    found = await downloads(tmp_path).stored(FileFacts("a", None, size), fetch)
    assert found.missing == missing
    assert len(asked) == (missing is None)


async def test_few_files_are_downloaded_at_the_same_time(tmp_path: Path) -> None:
    under_way, most = 0, 0
    files = downloads(tmp_path)

    async def fetch() -> Attachment:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return STORED

    facts = FileFacts("a", None, None)
    await asyncio.gather(*(files.stored(facts, fetch) for _ in range(3 * AT_ONCE)))
    assert most == AT_ONCE


def test_a_connection_that_was_cut_is_worth_another_attempt() -> None:
    error = cut_off(aiohttp.ServerDisconnectedError())
    assert error.again
    assert str(error) == "the file could not be downloaded: the server closed the connection"


def test_a_download_has_a_limit_for_silence_beside_that_for_all_of_it() -> None:
    times = download_times()
    assert times.total is not None
    assert times.sock_read is not None
    assert times.sock_read < times.total
