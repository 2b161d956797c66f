"""Keeps the runs of all sessions in order, and decides which of them may begin. Pure.

What a message means for its session is decided by ``SessionQueue``, which session goes next by
``Lanes``; this holds them together, by runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from runtime.config.sessions import QueueConfig, QueueMode
from runtime.gateway.conversations.lanes import Lanes
from runtime.gateway.conversations.queue_modes import (
    Arrival,
    Batch,
    QueuedMessage,
    SessionQueue,
)
from runtime.gateway.journal.runs import Run

MODES: dict[str, QueueMode] = {mode: mode for mode in get_args(QueueMode)}

Place = tuple[str, str, str | None]  # where an answer goes


class RunQueues:
    """The runs that wait, or were begun and have not ended.

    At most ``limit`` turns run at once, of one agent ``share``, or what ``of_agents`` has for it.
    """

    def __init__(
        self, limit: int, share: int | None = None, of_agents: Mapping[str, int] | None = None
    ) -> None:
        self._lanes = Lanes(limit, share or limit, of_agents)
        self._queues: dict[str, SessionQueue] = {}
        self._last: dict[str, Place] = {}  # of the newest run of a session

    def configure(self, limit: int, share: int, of_agents: Mapping[str, int]) -> None:
        """Apply other limits."""
        self._lanes.configure(limit, share, of_agents)

    def depth(self, session: str) -> int:
        """Return the number of waiting runs of a session."""
        queue = self._queues.get(session)
        return 0 if queue is None else len(queue)

    def add(self, run: Run, settings: QueueConfig) -> Arrival:
        """Add a new run; return whether it is accepted, and its effect on others."""
        queue = self._queues.setdefault(run.session, SessionQueue())
        before = self._last.get(run.session) if len(queue) else None
        arrival = queue.add(_behind(before, run, settings), settings)
        if arrival.taken:
            self._last[run.session] = _place(run)
        self._request_turn(run.session, run.agent)
        return arrival

    def restore(self, runs: list[Run], settings: QueueConfig) -> None:
        """Restore the runs of a session that an earlier gateway left, begun or not."""
        session, agent = runs[0].session, runs[0].agent
        queue = self._queues.setdefault(session, SessionQueue())
        begun = [each for each in runs if each.started]
        running = [each.id for each in begun]
        waiting = [each for each in runs if not each.started]
        before: Place | None = None
        messages = []
        for each in waiting:
            messages.append(_behind(before, each, settings))
            before = self._last[session] = _place(each)
        queue.restore(messages, settings, running, _chat(begun[0]) if begun else "")
        if running:
            self._lanes.restore(session, agent)
        self._request_turn(session, agent)

    def begin_due(self, now: int) -> list[Batch]:
        """Begin the turns that are due, and return them."""
        batches = []
        for session in self._lanes.begin_due(now):
            queue = self._queues.get(session)
            batch = None if queue is None else queue.begin_next(now)
            if batch is not None:
                batches.append(batch)
            else:
                self._lanes.end(session)
        return batches

    def forget_times(self) -> None:
        """Make all waiting runs due at once, because the clock was set."""
        for queue in self._queues.values():
            queue.forget_times()
        self._lanes.forget_times()

    def set_lead(self, run: Run) -> None:
        """Set which run leads a turn that has just begun."""
        self._queues[run.session].set_lead(run.id)

    def withdraw(self, run: Run) -> None:
        """Remove a waiting run."""
        queue = self._queues.get(run.session)
        if queue is None:
            return
        queue.remove(run.id)
        if not len(queue):
            self._lanes.withdraw(run.session)
        self._forget(run.session)

    def end(self, run: Run) -> None:
        """End the turn that ``run`` leads, so that the next one of its session can begin."""
        queue = self._queues.get(run.session)
        if queue is None or queue.running != run.id:
            return
        queue.end()
        self._lanes.end(run.session)
        self._request_turn(run.session, run.agent)
        self._forget(run.session)

    def next_due(self) -> int | None:
        """Return when ``begin_due`` must be called again; ``None``: after the next change."""
        return self._lanes.next_due()

    def why_waiting(self, session: str) -> str | None:
        """Return a sentence about what a session waits for; ``None`` if it requests no turn."""
        return self._lanes.why_waiting(session)

    def _request_turn(self, session: str, agent: str) -> None:
        due = self._queues[session].next_due()
        if due is not None:
            self._lanes.request(session, agent, due)

    def _forget(self, session: str) -> None:
        queue = self._queues.get(session)
        if queue is not None and queue.running is None and not len(queue):
            del self._queues[session]
            self._last.pop(session, None)


def _place(run: Run) -> Place:
    target = run.reply
    return ("", run.id, None) if target is None else (target.account, target.to, target.thread)


def _chat(run: Run) -> str:
    target = run.reply
    return "" if target is None else f"{target.account}/{target.to}/{target.thread or ''}"


def _behind(before: Place | None, run: Run, settings: QueueConfig) -> QueuedMessage:
    """Return the queued message of a run that waits behind one with the reply target ``before``.

    One answer goes to one chat, though a session may have several: what comes from another one
    has a turn of its own.
    """
    message = message_of(run)
    joins = (message.mode or settings.mode) == "collect"
    return message_of(run, "followup") if joins and before not in (None, _place(run)) else message


def message_of(run: Run, mode: QueueMode | None = None) -> QueuedMessage:
    """Return the queued message of a run."""
    sender = run.request.sender
    return QueuedMessage(
        run=run.id,
        text=run.request.text,
        at=run.at,
        sender=run.origin.sender or run.origin.client,
        name=(sender and (sender.name or sender.id)) or "",
        mode=mode or MODES.get(run.mode),
        late=run.late,
        chat=_chat(run),
    )
