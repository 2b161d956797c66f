"""Runs around a journal that outlives their gateway, and an agent whose turns the test scripts."""

from __future__ import annotations

import time
from asyncio import TaskGroup
from typing import Any

import pytest

from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.journal.runs import Run, RunRequest
from runtime.gateway.runs.live import RunUpdate
from tests.support.journals import KEY
from tests.support.outbox_life import OutboxLife
from tests.support.runs_life import error, final
from tests.support.until import until
from workers.agent import Delta, TurnOutcome

FIRST = f"run:{KEY}/1:1"


def later(turn: dict[str, Any]) -> TurnOutcome | None:
    """Leave a turn open."""
    return None


def texts(life: OutboxLife) -> list[str]:
    """Return what the worker was to send."""
    return [call["message"]["text"] for call in life.calls if call.get("begin", True)]


async def asked(life: OutboxLife, *, text: str = "hello") -> str:
    """Have one message come whose turn stays open; return the name of its turn."""
    life.agent.script = later
    life.welcome()
    await life.hears(1, text=text)
    await until(lambda: life.agent.turns)
    return life.agent.names[-1]


async def test_what_comes_during_a_turn_is_asked_together_after_it() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, agent="echo", mode="collect")
        turn = await asked(life)
        await life.hears(2, 3)
        await until(lambda: len(life.runs) == 4)
        assert len(life.agent.turns) == 1
        life.agent.ends(turn, final("first"))
        await until(lambda: len(life.agent.turns) == 2)
        name, asked_together = life.agent.turns[1]
        attempt, _, run = name.partition(":")
        assert (run, asked_together["text"]) == (f"{KEY}/1:2", "text 2\ntext 3\ntext 4")
        assert int(attempt) > 1, "not the name of a turn that asks the first one alone"
        life.agent.ends(name, final("all"))
        await until(lambda: life.agents.answered == 2)
        assert texts(life) == ["first", "all"]
        merged = await journal.run_of(f"{KEY}/1:4")
        assert merged is not None
        assert (merged.state, merged.merged) == ("merged", f"{KEY}/1:2")


async def test_what_waited_too_long_takes_nothing_newer_along_and_is_known_later() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, agent="echo", mode="collect")
        turn = await asked(life)
        hours_ago = time.time() - 2 * 3600
        await life.hears(2, text="old", at=hours_ago)
        await life.hears(3, text="older", at=hours_ago)
        await life.hears(4, text="new")
        await life.hears(5, text="newest")
        await until(lambda: len(life.runs) == 5)
        life.agent.ends(turn, final("first"))
        await until(lambda: len(life.agent.turns) == 2)
        name, asked_then = life.agent.turns[1]
        assert asked_then["text"] == "new\nnewest"
        life.agent.ends(name, final("second"))
        await until(lambda: life.agents.answered == 2)
        for number in (2, 3):
            late = await journal.run_of(f"{KEY}/1:{number}")
            assert late is not None
            assert late.state == "expired"
        await life.hears(6, text="last")
        await until(lambda: len(life.agent.turns) == 3)
        told = [each["text"] for each in life.agent.turns[2][1]["history"]]
        assert sorted(told[2:4]) == ["old", "older"]
        assert told[4:] == ["new\nnewest", "second"]
        life.agent.ends(life.agent.turns[2][0], final("third"))
        await until(lambda: life.agents.answered == 3)
        assert texts(life) == ["first", "second", "third"]


async def test_sessions_do_not_wait_for_each_other() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), agent="echo")
        await asked(life)
        await life.hears(2, sender={"id": "bob"}, chat={"id": "bob", "kind": "direct"})
        await until(lambda: len(life.agent.turns) == 2)
        assert life.agent.turns[0][1]["session"] != life.agent.turns[1][1]["session"]
        life.end()


async def test_a_new_gateway_goes_on_with_the_turn_that_the_agent_has() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        first = OutboxLife(tasks, journal, agent="echo")
        turn = await asked(first)
        await first.rests()
        first.end()
        second = OutboxLife(tasks, journal, agent="echo")
        second.agent.script = later
        second.welcome()
        await until(lambda: second.agent.turns)
        assert second.agent.names == [turn]
        second.agent.ends(turn, final("done"))
        await until(lambda: second.agents.answered)
        assert texts(second) == ["done"]


async def test_an_agent_that_came_before_its_run_was_known_is_asked_again() -> None:
    """It does not come again: the run waited for its deadline once."""
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        first = OutboxLife(tasks, journal, agent="echo")
        await asked(first)
        await first.rests()
        first.end()
        second = OutboxLife(tasks, journal, agent="echo")
        second.agent.script = later
        second.agent.comes(2)
        second.welcome()
        await until(lambda: second.agent.turns)
        second.agent.ends(second.agent.names[-1], final("done"))
        await until(lambda: second.agents.answered)
        assert texts(second) == ["done"]


async def test_an_aborted_run_says_nothing_and_the_next_one_begins() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), agent="echo")
        await asked(life)
        await life.hears(2, text="next")
        await until(lambda: len(life.runs) == 2)
        life.agent.script = lambda asked: final("second")
        assert life.runs.abort(f"{KEY}/1:1")
        assert not life.runs.abort(f"{KEY}/1:1")
        await until(lambda: life.agents.answered)
        assert (texts(life), life.agent.cancelled) == (["second"], [f"{KEY}/1:1"])


@pytest.mark.parametrize(
    ("end", "answered"),
    [(final("hi"), True), (final(""), False), (error("failed"), True), (None, False)],
)
async def test_whoever_watches_knows_whether_the_chat_gets_a_message(
    end: TurnOutcome | None, answered: bool
) -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), agent="echo")
        seen: list[RunUpdate] = []
        life.runs.watch(seen.append)
        await asked(life)
        life.agent.yields(life.agent.names[-1], Delta("half"))
        if end is None:
            life.runs.abort(f"{KEY}/1:1")
        else:
            life.agent.ends(life.agent.names[-1], end)
        await until(lambda: not len(life.runs))
        await life.rests()
        assert [each.answered for each in seen if each.step == "ended"] == [answered]
        assert bool(life.calls) is answered


async def test_when_the_first_piece_of_an_answer_came_is_recorded() -> None:
    async with TaskGroup() as tasks:
        journal = MemoryJournal()
        life = OutboxLife(tasks, journal, agent="echo")
        await asked(life)
        turn = life.agent.names[-1]
        for piece in ("half", "and half"):
            life.agent.yields(turn, Delta(piece))
        await life.rests()
        life.agent.ends(turn, final("half and half"))
        await until(lambda: not len(life.runs))
        await life.rests()
        run = await journal.run_of(f"{KEY}/1:1")
        assert run is not None
        assert 0 < run.at <= run.decided <= run.started <= run.first <= run.ended


async def test_a_run_that_is_being_stored_is_one_of_its_session_already() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), agent="echo")
        life.welcome()
        run = Run("r1", "agent:echo:main", "echo", at=1, request=RunRequest("hi"))
        life.runs.expect("agent:echo", run)
        assert [each.run.id for each in life.runs.of_session(run.session)] == ["r1"]
        assert life.runs.abort_session(run.session, "stop") == ["r1"]
        assert life.runs.abort_session(run.session, "reset") == []
        assert await life.runs.begin("agent:echo", run) == (run, False)
        ended = await life.runs.wait("r1", 5)
        assert ended is not None
        assert (ended.state, ended.detail, life.agent.turns) == ("aborted", "stop", [])
        assert life.runs.of_session(run.session) == []
        life.runs.expect("agent:echo", run)  # it is sent again, and known
        assert (await life.runs.begin("agent:echo", run))[1]
        assert life.runs.of_session(run.session) == []


async def test_a_client_s_run_can_be_waited_for_and_watched() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), agent="echo")
        life.welcome()
        seen: list[RunUpdate] = []
        unwatch = life.runs.watch(seen.append)
        run = Run("r1", "agent:echo:main", "echo", at=1, request=RunRequest("hi"))
        assert await life.runs.begin("agent:echo", run) == (run, False)
        ended = await life.runs.wait("r1", 5)
        assert ended is not None
        assert (ended.state, ended.answer) == ("final", "echo: hi")
        assert [(each.step, each.seq) for each in seen] == [
            ("queued", 1),
            ("started", 2),
            ("ended", 3),
        ]
        known, before = await life.runs.begin("agent:echo", run)
        assert (known.answer, before) == ("echo: hi", True)
        unwatch()
        assert len(life.agent.turns) == 1
