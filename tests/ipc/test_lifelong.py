"""Work for life that ends in any way is reported, unless its end was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ipc.lifelong import lifelong


async def returns() -> None:
    await asyncio.sleep(0)


async def fails() -> None:
    raise OSError("no inotify left")


async def cancelled_inside() -> None:
    other = asyncio.get_running_loop().create_future()
    other.cancel()
    await other


@pytest.mark.parametrize(
    ("work", "why", "error"),
    [
        (returns, "watching has ended (it returned)", type(None)),
        (fails, "watching has ended (OSError('no inotify left'))", OSError),
        (
            cancelled_inside,
            "watching has ended (it was cancelled by what it awaits)",
            asyncio.CancelledError,
        ),
    ],
)
async def test_each_end_is_reported_once_and_raises_nothing(
    work: Callable[[], Awaitable[object]], why: str, error: type
) -> None:
    ends: list[tuple[str, BaseException | None]] = []
    await lifelong("watching", work(), lambda *end: ends.append(end))
    ((found, raised),) = ends
    assert (found, type(raised)) == (why, error)


async def test_an_end_that_was_asked_for_is_none() -> None:
    ends: list[str] = []
    work = asyncio.Event().wait()
    task = asyncio.create_task(lifelong("watching", work, lambda why, error: ends.append(why)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert ends == []
