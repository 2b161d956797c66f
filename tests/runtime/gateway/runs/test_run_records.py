"""The start of a turn shares a commit with what comes of it, unless it must be stored before."""

from __future__ import annotations

import asyncio
from asyncio import TaskGroup
from typing import Any

import pytest

from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.journal.runs import RunSeen, RunStarted
from runtime.gateway.runs import run_records
from runtime.gateway.runs.run_records import RunRecords
from tests.support.journals import KEY
from tests.support.outbox_life import OutboxLife
from tests.support.runs_life import final
from tests.support.until import until

RUN = f"{KEY}/1:1"


def start(run: str) -> RunStarted:
    return RunStarted(KEY, run, 1, 5)


async def test_a_start_is_stored_with_its_run_s_next_record_or_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal, stored = MemoryJournal(), list[Any]()
    monkeypatch.setattr(journal, "append", lambda record, done=None: stored.append(record))
    records = RunRecords(lambda: journal, lambda: None)
    records.append_start(start("a"), None)
    records.append_start(start("b"), None)
    seen = RunSeen(KEY, "b", 1)
    records.append(seen)
    assert stored == [start("b"), seen]
    await until(lambda: stored[2:] == [start("a")])
    monkeypatch.setattr(run_records, "HOLD_SECONDS", 0)
    records.append_start(start("c"), None)
    records.close()
    await asyncio.sleep(0.01)
    assert len(stored) == 3


async def test_an_answer_takes_four_commits_however_long_its_agent_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_records, "HOLD_SECONDS", 3600)
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, agent="echo")
        life.agent.script = lambda turn: None
        life.welcome()
        await until(lambda: KEY in life.outbox.accounts)
        before = journal.commits
        await life.hears(1)
        await until(lambda: life.agent.turns)
        for _ in range(50):  # in which the start could be stored by itself
            await asyncio.sleep(0)
        life.agent.ends(life.agent.names[-1], final("hello"))
        await until(lambda: life.agents.answered)
        # The message; the run; its start and end with the answer as attempting; sent.
        assert journal.commits == before + 4
        run = await journal.run_of(RUN)
        assert run is not None
        assert (run.state, run.incarnation, run.started > 0) == ("final", 1, True)


@pytest.mark.parametrize(("repeat", "stored"), [("unseen", 2), ("always", 2), ("never", 3)])
async def test_what_may_never_be_repeated_is_stored_before_its_agent_begins(
    repeat: str, stored: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_records, "HOLD_SECONDS", 3600)
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, agent="echo", repeat=repeat)
        began: list[int] = []

        def begin(turn: dict[str, Any]) -> None:
            began.append(journal.commits)

        life.agent.script = begin
        life.welcome()
        await until(lambda: KEY in life.outbox.accounts)
        before = journal.commits
        await life.hears(1)
        await until(lambda: began)
        assert began == [before + stored]


async def test_the_next_gateway_begins_the_turn_whose_start_was_held_under_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The agent has it already, and is asked once."""
    monkeypatch.setattr(run_records, "HOLD_SECONDS", 3600)
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        first = OutboxLife(tasks, journal, agent="echo")
        first.agent.script = lambda turn: None
        first.welcome()
        await first.hears(1)
        await until(lambda: first.agent.turns)
        first.end()
        run = await journal.run_of(RUN)
        assert run is not None
        assert run.state == "queued"
        second = OutboxLife(tasks, journal, agent="echo")
        second.welcome()
        await until(lambda: second.agents.answered)
        assert second.agent.names == first.agent.names
