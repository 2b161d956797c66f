"""The history of figures: slots by the clock, joined, kept over gateways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.frames.status import AccountStatus
from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.figures import history as module
from runtime.gateway.figures.history import FINE_MS, FigureHistory, counted, sample_of
from runtime.gateway.figures.history_ring import NAMES
from runtime.gateway.jobs import Jobs
from tests.support.until import until

KEY = "irc:libera"
HOUR = 400_000 * 3_600_000


def status(**more: Any) -> AccountStatus:
    return AccountStatus(account=KEY, channel="irc", account_id="libera", **more)


@asynccontextmanager
async def followed(folder: Path) -> AsyncIterator[tuple[Accounts, FigureHistory]]:
    async with asyncio.TaskGroup() as tasks:
        accounts = Accounts([])
        history = FigureHistory(accounts, Jobs(tasks), folder)
        yield accounts, history
        history.close()


async def asked(history: FigureHistory, now: int, **params: Any) -> dict[str, Any]:
    """Return an answer as it was at a time."""
    wanted = {"keys": None, "names": NAMES, "span": "1h", "points": None} | params
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "now_ms", lambda: now)
        found: dict[str, Any] = msgspec.json.decode(await history.answer(**wanted))
    return found


def test_errors_are_what_was_dropped_but_no_repetitions() -> None:
    row = status(dropped={"duplicate": 5, "repeated": 6, "full": 2}, messages_in=9, restarts=1)
    assert (counted(row).errors, counted(row).restarts) == (2, 1)
    first = sample_of(None, row)
    assert first.messages_in != first.messages_in  # unknown: it may have been counted for hours
    assert sample_of(counted(status(messages_in=4, restarts=3)), row)[:2] == (5, 0)


async def test_a_slot_has_what_was_counted_within_it(tmp_path: Path) -> None:
    async with followed(tmp_path) as (accounts, history):
        for slot, count in enumerate([3, 5, 5, 9], 1):
            accounts.apply_figures(
                {KEY: status(messages_in=count, rss_bytes=slot * 2048, cpu_percent=1.25)}
            )
            await history.add_slot(HOUR + slot * FINE_MS + 3)
        found = await asked(history, HOUR + 4 * FINE_MS + 9)
        assert (found["range"], found["stepMs"], found["from"]) == ("1h", FINE_MS, HOUR)
        assert found["keys"] == [KEY]
        assert found["series"]["in"] == [[None, 2, 0, 4]]
        assert found["series"]["rss"] == [[2, 4, 6, 8]]
        assert found["series"]["cpu"] == [[1.2, 1.2, 1.2, 1.2]]
        found = await asked(
            history, HOUR + 4 * FINE_MS, keys=["irc:x", KEY], names=["in"], points=2
        )
        assert (found["stepMs"], found["series"]) == (20_000, {"in": [[None, None], [2, 4]]})
        found = await asked(history, HOUR + 6 * FINE_MS)
        assert found["series"]["out"] == [[None, 0, 0, 0, None, None]]


async def test_five_minutes_are_joined_and_both_are_there_for_the_next_gateway(
    tmp_path: Path,
) -> None:
    async with followed(tmp_path) as (accounts, history):
        for slot in range(1, 62):
            accounts.apply_figures({KEY: status(messages_in=slot)})
            await history.add_slot(HOUR + slot * FINE_MS)
    async with followed(tmp_path) as (accounts, history):
        accounts.apply_figures({KEY: status()})
        day = await asked(history, HOUR + 62 * FINE_MS, span="24h", names=["in", "cpu"])
        assert (day["stepMs"], day["from"]) == (300_000, HOUR)
        assert day["series"] == {"in": [[29, 30]], "cpu": [[None, None]]}
        await history.add_slot(HOUR + 62 * FINE_MS)
        hour = await asked(history, HOUR + 62 * FINE_MS, names=["in"])
        assert hour["series"]["in"] == [[None, *[1] * 60, None]]


async def test_a_timer_that_comes_a_little_early_or_late_ends_the_same_slot(tmp_path: Path) -> None:
    async with followed(tmp_path) as (accounts, history):
        accounts.apply_figures({KEY: status()})
        for slot, off in enumerate((-900, 900, 5000), 1):
            await history.add_slot(HOUR + slot * FINE_MS + off)
        assert [number * FINE_MS - HOUR for number, _ in history.fine.ring.rows] == [
            0,
            10_000,
            20_000,
        ]


async def test_nothing_is_kept_where_there_are_no_accounts(tmp_path: Path) -> None:
    async with followed(tmp_path) as (_, history):
        await history.add_slot(HOUR)
        found = await asked(history, HOUR)
        assert (found["keys"], found["series"]["in"], found["from"]) == ([], [], HOUR)
        assert history.fine.ring.newest is None


async def test_the_loop_s_clock_adds_the_slots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FINE_MS", 20)
    monkeypatch.setattr(module, "EARLY_MS", 5)
    async with followed(tmp_path) as (accounts, history):
        accounts.apply_figures({KEY: status()})
        await until(lambda: len(history.fine.ring.rows) >= 2)
