"""When runs begin in a new gateway: not before all is here that earlier ones have left."""

from __future__ import annotations

from asyncio import TaskGroup
from pathlib import Path
from typing import Any, cast

import pytest

from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.journal.runs import Run, RunRequest
from runtime.gateway.runs.asking import made_run
from runtime.gateway.runs.recovery import Recovery
from tests.support.outbox_life import OutboxLife
from tests.support.until import until


class SlowJournal(MemoryJournal):
    """A journal that is opened when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.ready = False


async def test_nothing_begins_before_the_report_and_the_journal_are_there() -> None:
    journal = SlowJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, agent="echo")
        life.recovery.try_resume()
        life.recovery.on_report()
        life.runs.add("agent:echo", [Run("early", "agent:echo:main", "echo", at=1)])
        assert (life.agent.turns, life.agent.named) == ([], False)
        journal.ready = True
        life.recovery.try_resume()
        await until(lambda: life.agent.turns)
        await until(lambda: life.agent.named)


async def test_an_account_whose_runs_cannot_be_read_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        first = OutboxLife(tasks, journal, agent="echo")
        first.agent.script = lambda turn: None
        first.welcome()
        await first.hears(1)
        await until(lambda: first.agent.turns)
        await first.rests()
        first.end()
        second = OutboxLife(tasks, journal, agent="echo")

        async def broken(key: str) -> list[Run]:
            raise OSError("damaged")

        monkeypatch.setattr(journal, "open_runs", broken)
        second.welcome()
        await until(lambda: second.agent.named)
        assert second.agent.turns == []


class ClosedIntake:
    """An intake whose journal is not open, and counts how often it was to be opened."""

    journal, ready, opened = None, False, 0

    def open(self) -> None:
        self.opened += 1


@pytest.mark.parametrize(
    ("found", "opened"),
    [
        (None, 0),
        ("journal.db", 1),
        ("journal.db.repaired", 1),  # a kill came before it was renamed
        ("journal.db.restored", 1),
        ("journal.db.restored.unfinished", 0),
    ],
)
async def test_the_journal_is_opened_at_the_start_where_there_is_one(
    found: str | None, opened: int, tmp_path: Path
) -> None:
    async with TaskGroup() as tasks:
        life, intake = OutboxLife(tasks, MemoryJournal(), agent="none"), ClosedIntake()
        file = tmp_path / "journal.db"
        if found is not None:
            (tmp_path / found).touch()
        recovery = Recovery(life.runs, cast(Any, intake), life.jobs, lambda: file)
        recovery.on_report()
        assert (intake.opened, life.agent.named) == (opened, True)


async def test_a_client_s_run_goes_on_in_the_next_gateway_though_no_account_asks_an_agent(
    tmp_path: Path,
) -> None:
    journal, file = MemoryJournal(), tmp_path / "journal.db"
    file.touch()
    run = made_run("r", "agent:echo:main", RunRequest("hi"), client="cli")
    async with TaskGroup() as tasks:
        first = OutboxLife(tasks, journal)
        first.agent.script = lambda turn: None
        first.intake.open()
        first.recovery.on_report()
        await first.runs.begin("agent:echo", run)
        await until(lambda: first.agent.turns)
        await first.rests()
        first.end()
        second = OutboxLife(tasks, journal)
        Recovery(second.runs, second.intake, second.jobs, lambda: file).on_report()
        await until(lambda: second.agent.named)
        assert second.runs.live("r") is not None
