"""Holds the state in memory of a run that has not ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, NamedTuple

from msgspec.structs import replace

from runtime.gateway.conversations.growing_text import GrowingText
from runtime.gateway.conversations.queue_modes import text_of
from runtime.gateway.journal.runs import Run, RunRequest, RunStarted
from runtime.gateway.runs.lifecycle import RunLife, RunPhase
from runtime.gateway.runs.queues import message_of
from workers.agent import ToolCall, ToolResult, TurnEvent, TurnOutcome

NOTHING = GrowingText()

RunStep = Literal["queued", "started", "event", "ended", "merged"]


class RunUpdate(NamedTuple):
    """One update of a run, as its watchers get it.

    ``run`` is as it is now. ``seq`` counts the updates of one run in this gateway, from 1 on.
    ``event`` is what an agent has yielded. ``partial`` is the answer so far, to which more may be
    added later. ``answered``: it has ended, and its chat gets a message.
    """

    step: RunStep
    key: str
    run: Run
    seq: int
    event: TurnEvent | None = None
    partial: GrowingText = NOTHING
    answered: bool = False


class LiveRun:
    """A run that has not ended. ``key`` is whose records it has.

    ``attempt`` tells its turns apart, ``request`` is what the present one asks. ``members`` are to
    be asked together with it, ``collected`` have been. ``came`` is the number of the last event of
    the turn that has come, ``end`` that of its end. ``partial`` is the answer so far. ``notice`` is
    what the person reads where it was not taken, ``reason`` why it is aborted. ``answered``: its
    chat gets a message at its end. ``resumed``: an earlier gateway has begun it.
    ``tools`` are the calls of the turn, and what came of them.
    """

    __slots__ = (
        "answered",
        "attempt",
        "came",
        "collected",
        "end",
        "event_count",
        "key",
        "life",
        "members",
        "notice",
        "outcome",
        "partial",
        "reason",
        "request",
        "resumed",
        "run",
        "timer",
        "tools",
        "waiting",
        "watchers",
    )

    def __init__(self, key: str, run: Run) -> None:
        self.key = key
        self.run = run
        self.life = RunLife()
        self.attempt = 0
        self.request: RunRequest = run.request
        self.members: list[LiveRun] = []
        self.collected: list[str] = list(run.collected)
        self.partial = GrowingText()
        self.tools: list[ToolCall | ToolResult] = []
        self.notice = self.reason = ""
        self.resumed = self.answered = False
        self.came = self.end = self.event_count = 0
        self.outcome: TurnOutcome | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.waiting: list[asyncio.Future[Run]] = []
        self.watchers: list[Callable[[RunUpdate], None]] = []

    def reset_turn(self) -> list[LiveRun]:
        """Prepare for another turn; return the queued runs that are asked together with it."""
        self.came = 0
        self.partial.clear()
        self.tools.clear()
        members = [each for each in self.members if each.life.phase is RunPhase.QUEUED]
        self.members = []
        if members:
            self.request = joined([self, *members])
            self.collected = [each.run.id for each in members]
        return members

    def start_record(self, incarnation: int, started: int) -> RunStarted:
        """Return the record of the start of its turn."""
        life = self.life
        return RunStarted(
            self.key,
            self.run.id,
            incarnation,
            started,
            life.deadline,
            life.retried,
            life.deaths,
            self.collected,
            self.request if self.collected else None,
        )

    def stop_timer(self) -> None:
        """Cancel the timer, if one is set."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def attempt_of(run: Run) -> int:
    """Return the attempt number of the last turn of a run, from its record in the journal.

    The first turn may be with the agent before it is stored, and so its number is known. One that
    asks several messages at once is another: it is stored first, with them.
    """
    return run.started if run.retried or run.deaths or run.collected else 1


def joined(runs: list[LiveRun]) -> RunRequest:
    """Join the requests of several runs, in their order.

    The first one's fields count, but for what was said before each. That of several people is
    nobody's own: their names stand in the text, as results of tools do.
    """
    first, messages = runs[0].request, [message_of(each.run) for each in runs]
    fields = {name: value for name, value in first.fields.items() if name != "results"}
    asked = [each.run.request for each in runs]
    heard = [item for each in asked for item in each.fields.get("history", ())]
    return replace(
        first,
        text=text_of(messages),
        attachments=[file for each in asked for file in each.attachments],
        sender=first.sender if len({each.sender for each in messages}) == 1 else None,
        fields=fields | {"history": heard} if heard else fields,
    )


def with_notice(request: RunRequest, notice: str) -> RunRequest:
    """Return a request with a notice added to the agent's instructions."""
    before = request.fields.get("instructions")
    text = notice if before is None else f"{before}\n{notice}"
    return replace(request, fields=request.fields | {"instructions": text})
