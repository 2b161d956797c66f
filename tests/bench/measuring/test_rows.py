"""A waiter learns when a row came, not when somebody looked."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import pytest

from bench.measuring.rows import Rows, down, up
from ipc.frames.websocket import Event


def row(phase: str, incarnation: int = 1, pid: int | None = 7) -> dict[str, Any]:
    return {"account": "local:a", "phase": phase, "incarnation": incarnation, "pid": pid}


def event(found: dict[str, Any], name: str = "channel.status") -> Event:
    return Event(event=name, payload=msgspec.Raw(msgspec.json.encode(found)))


async def test_a_waiter_is_given_the_time_at_which_the_row_came() -> None:
    rows = Rows()
    waiting = asyncio.create_task(rows.until("local:a", down))
    await asyncio.sleep(0)
    rows.take(event(row("running")))
    before = time.monotonic()
    rows.take(event(row("backoff")))
    after = time.monotonic()
    assert before <= await waiting <= after


async def test_what_is_so_already_is_not_waited_for() -> None:
    rows = Rows()
    rows.take(event(row("backoff")))
    assert await rows.until("local:a", down) <= time.monotonic()


async def test_what_does_not_come_is_named_with_the_newest_row() -> None:
    rows = Rows()
    rows.take(event(row("running")))
    with pytest.raises(TimeoutError, match=r"local:a: not within 0 s: .*running"):
        await rows.until("local:a", down, within=0)


def test_a_status_replaces_no_row_that_came_as_an_event() -> None:
    rows = Rows()
    rows.take(event(row("running", 2)))
    rows.take(event(row("backoff", 3), "channel.message"))
    rows.seed({"local:a": row("backoff", 1), "local:b": row("stopped") | {"account": "local:b"}})
    assert {key: each["phase"] for key, each in rows.newest.items()} == {
        "local:a": "running",
        "local:b": "stopped",
    }


@pytest.mark.parametrize(
    ("found", "is_up"),
    [
        (row("running", 2), True),
        (row("running", 1), False),  # still the one before
        (row("running", 2, None), False),  # ready before its process was known
        (row("starting", 2), False),
    ],
)
def test_an_account_is_up_in_a_later_incarnation_with_a_process(
    found: dict[str, Any], is_up: bool
) -> None:
    assert up(after=1)(found) is is_up
