"""Answers that are shown while an agent writes them, and what takes their place."""

from __future__ import annotations

from asyncio import TaskGroup
from typing import Any

import pytest

from ipc.errors import RemoteError
from ipc.frames.words import UNAVAILABLE
from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.journal.runs import ReplyTarget, RunRequest
from runtime.gateway.runs import previews
from runtime.gateway.runs.asking import made_run
from tests.support.journals import KEY
from tests.support.outbox_life import OutboxLife, done
from tests.support.runs_life import error, final
from tests.support.until import until
from workers.agent import Delta, TurnOutcome

RUN = f"run:{KEY}/1:1"
PREVIEW = f"{RUN}/preview"
FIRST = "It begins with a sentence. "


def later(turn: dict[str, Any]) -> TurnOutcome | None:
    """Leave a turn open."""
    return None


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "GATHER_SECONDS", 0.001)


async def life_of(tasks: TaskGroup, journal: MemoryJournal, **row: Any) -> OutboxLife:
    """Return a life in which an agent has been asked and writes."""
    life = OutboxLife(tasks, journal, agent="echo", **{"streaming": "edits"} | row)
    life.agent.script = later
    life.welcome()
    return life


async def asked(life: OutboxLife, *said: str) -> str:
    await life.hears(1, text="hello")
    await until(lambda: life.agent.turns)
    name = life.agent.names[-1]
    life.agent.yields(name, *map(Delta, said))
    return name


def sends(life: OutboxLife) -> list[tuple[str, str, str]]:
    """Return key, text and what was edited, of all that the worker was to begin."""
    return [
        (each["message"]["key"], each["message"]["text"], each.get("edit", ""))
        for each in life.calls
        if each.get("begin", True)
    ]


async def test_an_answer_grows_in_one_message_and_takes_its_place() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = await life_of(tasks, journal)
        name = await asked(life, FIRST, "and ")
        await until(lambda: life.calls)
        assert life.calls[0]["preview"]
        await until(lambda: (run := life.runs.live(f"{KEY}/1:1")) and run.run.preview == "p1.0")
        life.agent.yields(name, Delta("goes on for a while. "))
        await until(lambda: life.shown, 5)
        assert life.shown == [("preview", "p1.0", f"{FIRST}and goes on for a while.")]
        life.agent.ends(name, final("The whole answer."))
        await until(lambda: life.agents.answered)
        assert sends(life) == [
            (PREVIEW, f"{FIRST}and", ""),
            (RUN, "The whole answer.", "p1.0"),
        ]
        run = await journal.run_of(f"{KEY}/1:1")
        assert run is not None
        assert (run.preview, run.answer) == ("p1.0", "The whole answer.")


async def test_accounts_do_not_stream_unless_they_say_so() -> None:
    async with TaskGroup() as tasks:
        life = await life_of(tasks, MemoryJournal(), streaming="off")
        name = await asked(life, FIRST, FIRST)
        life.agent.ends(name, final("all"))
        await until(lambda: life.agents.answered)
        assert sends(life) == [(RUN, "all", "")]


async def test_what_nobody_has_asked_for_is_not_shown_before_it_is_whole() -> None:
    async with TaskGroup() as tasks:
        life = await life_of(tasks, MemoryJournal())
        for client in ("heartbeat", "cli"):
            target, session = ReplyTarget(KEY, client), f"agent:echo:{client}"
            run = made_run(client, session, RunRequest("x"), client=client, reply=target)
            await life.runs.begin(KEY, run)
            await until(lambda name=f"1:{client}": name in life.agent.names)  # type: ignore[misc]
            life.agent.yields(f"1:{client}", Delta(FIRST))
        await until(lambda: life.calls)
        assert sends(life) == [("run:cli/preview", FIRST.strip(), "")]
        life.end()


async def test_the_end_of_a_run_that_failed_takes_the_place_too() -> None:
    async with TaskGroup() as tasks:
        life = await life_of(tasks, MemoryJournal())
        name = await asked(life, FIRST)
        await until(lambda: life.calls)
        life.agent.ends(name, error("failed"))
        await until(lambda: len(life.calls) == 2)
        assert [each[2] for each in sends(life)] == ["", "p1.0"]


async def test_silence_takes_a_preview_back() -> None:
    async with TaskGroup() as tasks:
        life = await life_of(tasks, MemoryJournal())
        name = await asked(life, FIRST)
        await until(lambda: (run := life.runs.live(f"{KEY}/1:1")) and run.run.preview)
        life.agent.ends(name, final(""))
        await until(lambda: life.shown)
        assert life.shown == [("action", "p1.0", "")]


async def test_tags_and_the_word_for_silence_are_never_shown() -> None:
    async with TaskGroup() as tasks:
        life = await life_of(tasks, MemoryJournal())
        name = await asked(life, "[[reply_to_", "current]] Yes, that is so. \nNO_REP")
        await until(lambda: life.calls)
        assert life.calls[0]["message"]["text"] == "Yes, that is so."
        assert life.calls[0]["message"]["replyTo"] == "m1"
        life.agent.ends(name, final("[[reply_to_current]] Yes."))
        await until(lambda: life.agents.answered)


async def test_the_answer_waits_for_a_preview_that_is_under_way() -> None:
    async with TaskGroup() as tasks:
        life = await life_of(tasks, MemoryJournal())
        life.worker = lambda call: None if call.get("preview") else done("never")
        name = await asked(life, FIRST)
        await until(lambda: life.waiting)
        life.agent.ends(name, final("all"))
        await until(lambda: len(life.outbox.accounts[KEY].entries) == 2)
        assert [each[0] for each in sends(life)] == [PREVIEW]
        life.settle(done("shown"))
        await until(lambda: life.agents.answered)
        assert sends(life)[1:] == [(RUN, "all", "shown.0")]


async def test_a_preview_that_was_not_sent_is_no_ones_dead_letter() -> None:
    async with TaskGroup() as tasks:
        life = await life_of(tasks, MemoryJournal())
        blocked = RemoteError(UNAVAILABLE, "no", details={"reason": "forbidden"})
        life.worker = lambda call: blocked if call.get("preview") else done()
        name = await asked(life, FIRST)
        await until(lambda: life.calls)
        life.agent.yields(name, Delta("More and more of it. " * 9))
        life.agent.ends(name, final("all"))
        await until(lambda: life.agents.answered)
        assert sends(life)[1:] == [(RUN, "all", "")]
        assert await life.dead_letters.oldest() == []
        assert life.shown == []


@pytest.mark.parametrize("more", ["", " And this is the end."])
@pytest.mark.parametrize("stored", [True, False])
async def test_the_next_gateway_ends_the_message_that_the_last_one_has_begun(
    stored: bool, more: str
) -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        first = await life_of(tasks, journal)
        first.worker = lambda call: done("shown") if stored else None
        name = await asked(first, FIRST)
        await until(lambda: first.calls)
        if stored:
            await until(lambda: (run := first.runs.live(f"{KEY}/1:1")) and run.run.preview)
        first.flush()
        first.end()
        second = await life_of(tasks, journal)
        second.worker = lambda call: done("shown")
        await until(lambda: second.agent.turns)
        if more:
            second.agent.yields(name, Delta(more))
        second.agent.ends(name, final("all"))
        await until(lambda: second.agents.answered)
        assert sends(second) == [(RUN, "all", "shown.0")]


async def test_a_worker_that_dies_while_it_edits_is_asked_again() -> None:
    async with TaskGroup() as tasks:
        life = await life_of(tasks, MemoryJournal())
        life.worker = lambda call: done("shown") if call.get("preview") else None
        name = await asked(life, FIRST)
        await until(lambda: (run := life.runs.live(f"{KEY}/1:1")) and run.run.preview)
        life.agent.ends(name, final("all"))
        await until(lambda: life.waiting)
        life.worker = lambda call: done("shown")
        life.report(2, "starting")
        life.settle(RemoteError(UNAVAILABLE, "?", details={"maybeExecuted": True}))
        life.welcome(2)
        await until(lambda: life.agents.answered, 5)
        assert [each[2] for each in sends(life)] == ["", "shown.0", "shown.0"]
