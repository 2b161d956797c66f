"""What follows the figures begins when there is something to follow, and ends with the gateway."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ipc.frames.status import AccountStatus
from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.figures.figures import BEGIN_SECONDS, AccountFigures
from runtime.gateway.jobs import Jobs

KEY = "irc:libera"
pytestmark = pytest.mark.virtual_time


async def test_the_history_begins_with_the_first_account(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as tasks:
        accounts = Accounts([])
        figures = AccountFigures(accounts, Jobs(tasks), tmp_path)
        await asyncio.sleep(3 * BEGIN_SECONDS)
        assert not {"history", "streams"} & vars(figures).keys()
        accounts.apply(KEY, AccountStatus(KEY, "irc", "libera"))
        await asyncio.sleep(2 * BEGIN_SECONDS)
        assert "history" in vars(figures)
        figures.close()


async def test_the_first_question_begins_it_too(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as tasks:
        figures = AccountFigures(Accounts([]), Jobs(tasks), tmp_path)
        assert figures.history is figures.history
        assert figures.streams.paces == []
        figures.close()
