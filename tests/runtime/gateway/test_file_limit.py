"""Who may have how many of the process's files, and what is said when there are none."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from runtime.gateway.file_limit import CHECK_SECONDS, QUIET_SECONDS, FileShares, FileWatch, shares


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (20_000, FileShares(4984, 14_952, 19_992)),
        (1024, FileShares(240, 720, 1016)),
        (300, FileShares(59, 177, 292)),
        (100, FileShares(16, 20, 92)),
        (85, FileShares(16, 8, 77)),
        (64, FileShares(16, 8, 56)),  # the fewest with which the daemon starts
        (1, FileShares(16, 8, 1)),
    ],
)
def test_a_quarter_is_for_sockets_that_prove_nothing(files: int, expected: FileShares) -> None:
    assert shares(files) == expected


@pytest.mark.virtual_time
async def test_want_of_files_is_told_once_and_taken_back_after_a_minute() -> None:
    starved, told = 0, list[list[str]]()
    with structlog.testing.capture_logs() as logs:
        watch = FileWatch(1 << 20, lambda: starved, told.append)
        await asyncio.sleep(CHECK_SECONDS + 1)
        assert not told
        for _ in range(3):
            starved += 10
            await asyncio.sleep(CHECK_SECONDS)
        assert len(told) == 1
        assert "no files left" in told[0][0]
        assert watch.short
        await asyncio.sleep(QUIET_SECONDS + 2 * CHECK_SECONDS)
        assert told[1:] == [[]]
        assert not watch.short
        watch.close()
    assert [each["event"] for each in logs] == ["no files left", "files left again"]


@pytest.mark.virtual_time
async def test_it_is_seen_whoever_has_the_files() -> None:
    told = list[list[str]]()
    watch = FileWatch(1, lambda: 0, told.append)  # as if descriptor 0 were the last one
    watch.check()
    assert len(told) == 1
    watch.close()
