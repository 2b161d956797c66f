"""Runs the turns of an agent: begins them, numbers their output, ends them, sends it again.

A turn is kept by its name until the gateway has acknowledged its end, so that a new gateway can
continue it. Its name is remembered for a while after that: a late request for it begins nothing and
is answered with ``aborted``, as is a request to continue an unknown turn; the gateway decides
about another attempt. Each turn has its own task and its own credit, so none waits for another.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec

from ipc.frames.data import TurnAck, TurnBegin, TurnCancel
from ipc.nesting import MALFORMED, require_shallow
from ipc.timeouts import cancel_all
from workers.agent import Final, Turn, TurnOutcome
from workers.links.agent_data import AgentDataLink
from workers.links.turn_queue import TurnLog
from workers.process.explanations import Explain, unexplained
from workers.process.turn_outcomes import OutOfBounds, TurnOutput, outcome_of, outcome_payload

MAX_HELD = 10_000  # turns, with those whose end is not acknowledged
REMEMBERED = 20_000  # names of turns that are over
REMEMBER_SECONDS = 600.0
ITEMS_A_TURN = 64  # what an agent yields without waiting before the loop turns

TurnFrameDown = TurnBegin | TurnAck | TurnCancel

_decode = msgspec.json.Decoder(Turn).decode


class HeldTurn:
    """One turn, from its beginning until its end is acknowledged."""

    __slots__ = ("log", "room", "task", "timer", "turn")

    def __init__(self, log: TurnLog, turn: Turn | None = None) -> None:
        self.log = log
        self.turn = turn
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None  # of its deadline
        self.room: asyncio.Future[None] | None = None  # for which it waits


class AgentTurns:
    """The turns of one agent. Before ``begin`` and after ``close`` no new one is accepted.

    ``begun`` and ``ended`` count them. ``on_outcome(outcome)`` is called at each end.
    """

    def __init__(
        self,
        link: AgentDataLink,
        log: Any,
        *,
        redact: Callable[[str], str] = str,
        on_outcome: Callable[[TurnOutcome], None] = lambda outcome: None,
    ) -> None:
        self.begun = self.ended = 0
        self._link = link
        self._log = log
        self._redact = redact
        self._on_outcome = on_outcome
        self._explain: Explain = unexplained
        self._agent: Any = None
        self._closing = False
        self._stopping = False  # the process ends: what turns do now is no outcome
        self._loop = asyncio.get_running_loop()
        self._held: dict[str, HeldTurn] = {}
        self._past: dict[str, float] = {}  # names of turns that are over, by the loop's time
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """The number of turns that have not ended."""
        return self.begun - self.ended

    def begin(self, agent: Any, explain: Explain = unexplained) -> None:
        """Pass turns to ``agent`` from now on; ``explain`` interprets its errors."""
        self._agent = agent
        self._explain = explain

    def close(self) -> None:
        """Accept no new turns from now on; running ones continue."""
        self._closing = True

    def on_frame(self, frame: TurnFrameDown) -> None:
        """Handle a frame of the gateway."""
        held = self._held.get(frame.turn)
        match frame:
            case TurnAck():
                if held is not None:
                    self._on_ack(held, frame.seq)
            case TurnCancel():
                if held is not None:
                    self._stop(held, TurnOutcome("aborted"))
            case TurnBegin():
                if held is not None:
                    self._resend(held, frame.after)
                elif self._agent is not None and not self._closing:
                    self._begin_turn(frame)

    async def finish(self) -> None:
        """Accept no new turns, and wait until running ones have ended and are acknowledged."""
        self.close()
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        await self._link.wait_ends_acknowledged()

    async def cancel(self, deadline: float | None) -> bool:
        """Cancel running turns, and wait until they end or until ``deadline`` (loop time).

        Returns whether all ended. They get no outcome: the gateway decides about turns whose agent
        is gone.
        """
        self.close()
        self._stopping = True
        for held in self._held.values():
            if held.timer is not None:
                held.timer.cancel()
            if held.turn is not None:
                held.turn.cancel()
        await cancel_all(self._tasks, deadline)
        return not self._tasks

    def _resend(self, held: HeldTurn, after: int) -> None:
        """Send the events after ``after`` again, which a perhaps new gateway does not have."""
        held.log.rewind(after)
        held.log.taken = True
        self._link.send_turn(held.log)

    def _begin_turn(self, frame: TurnBegin) -> None:
        log = self._link.queue.open(frame.turn, frame.after)
        log.taken = True
        held = self._held[frame.turn] = HeldTurn(log)
        self.begun += 1
        if self._past.pop(frame.turn, None) is not None:
            self._link.dropped["late turns"] += 1
            self._end(held, TurnOutcome("aborted"))
            return
        if frame.after or not frame.payload:  # it is to go on, and is not here
            self._end(held, TurnOutcome("aborted"))
            return
        if len(self._held) > MAX_HELD:
            text = f"{MAX_HELD} turns are running"
            self._end(held, TurnOutcome("error", kind="transient", error=text))
            return
        try:
            require_shallow(frame.payload)
            held.turn = _decode(frame.payload)
        except MALFORMED as error:
            text = f"a malformed turn: {error}"
            self._end(held, TurnOutcome("error", kind="failed", error=text))
            return
        left = held.turn.deadline / 1000 - time.time()
        if left <= 0:
            self._stop(held, TurnOutcome("timeout"))
            return
        held.timer = self._loop.call_later(left, self._stop, held, TurnOutcome("timeout"))
        held.task = self._loop.create_task(self._run(held, held.turn))
        self._tasks.add(held.task)
        held.task.add_done_callback(self._tasks.discard)
        self._link.send_turn(log)

    async def _run(self, held: HeldTurn, turn: Turn) -> None:
        items: Any = None
        try:
            try:
                items = self._agent.turn(turn)
                outcome = await self._outcome(held, items)
            except BaseException as error:  # noqa: BLE001 - whatever it is, it ends this turn alone
                if held.log.ended or self._stopping:
                    if not isinstance(error, asyncio.CancelledError):
                        self._warn("a turn did not stop cleanly", turn, error)
                    return
                outcome = self._meaning(turn, error)
            if not self._stopping:
                self._end(held, outcome)
        finally:
            await self._close_items(items, turn)

    async def _outcome(self, held: HeldTurn, items: Any) -> TurnOutcome:
        """Send the agent's events, as far as there is room; return the outcome."""
        output, log, count = TurnOutput(), held.log, 0
        async for item in items:
            if log.ended:
                break  # from outside: the agent has ignored its cancellation
            if isinstance(item, Final):
                return output.outcome(item)
            for payload in output.payloads(item):
                while not log.has_room:
                    held.room = self._loop.create_future()
                    await held.room
                if log.ended:
                    break
                if isinstance(payload, str):
                    log.add_text(payload)
                else:
                    log.append(payload)
                self._link.send_turn(log)
            count += 1
            if count % ITEMS_A_TURN == 0:
                await asyncio.sleep(0)
        return output.outcome()

    def _meaning(self, turn: Turn, error: BaseException) -> TurnOutcome:
        if isinstance(error, asyncio.CancelledError):
            return TurnOutcome("error", kind="failed", error="the agent cancelled its own turn")
        outcome = outcome_of(error, self._explain)
        if outcome.kind == "failed" and not isinstance(error, OutOfBounds):
            self._log.error("a turn failed", run=turn.run, exc_info=error)
        else:
            self._log.warning(
                "a turn failed", run=turn.run, kind=outcome.kind, error=self._redact(outcome.error)
            )
        return outcome

    async def _close_items(self, items: Any, turn: Turn) -> None:
        """Close the agent's generator, which may not be exhausted."""
        close = getattr(items, "aclose", None) or getattr(items, "close", None)
        if close is None:
            return
        try:
            closing = close()
            if closing is not None:
                await closing
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - the turn has ended
            self._warn("a turn did not end cleanly", turn, error)

    def _warn(self, text: str, turn: Turn, error: BaseException) -> None:
        self._log.warning(text, run=turn.run, error=self._redact(repr(error)))

    def _stop(self, held: HeldTurn, outcome: TurnOutcome) -> None:
        """End a turn now; cancel the agent's task without waiting for it."""
        if held.log.ended:
            return
        if held.turn is not None:
            held.turn.cancel()
        self._end(held, outcome)
        if held.task is not None:
            held.task.cancel()

    def _end(self, held: HeldTurn, outcome: TurnOutcome) -> None:
        if held.log.ended:
            return
        if outcome.error:
            outcome = msgspec.structs.replace(outcome, error=self._redact(outcome.error))
        try:
            payload = outcome_payload(outcome)
        except (OutOfBounds, TypeError, ValueError, *MALFORMED) as error:
            outcome = TurnOutcome("error", kind="failed", error=f"a malformed answer: {error}")
            payload = outcome_payload(outcome)
        held.log.end(payload)
        self.ended += 1
        if held.timer is not None:
            held.timer.cancel()
        self._link.send_turn(held.log)
        self._on_outcome(outcome)

    def _on_ack(self, held: HeldTurn, seq: int) -> None:
        log = held.log
        if not log.ack(seq):
            return
        if held.room is not None and not held.room.done() and log.has_room:
            held.room.set_result(None)
        self._link.send_turn(log)  # text that has come meanwhile
        if log.over:
            del self._held[log.name]
            self._remember(log.name)
            self._link.forget_turn(log)

    def _remember(self, name: str) -> None:
        now = self._loop.time()
        self._past[name] = now
        while True:
            oldest = next(iter(self._past))
            if len(self._past) <= REMEMBERED and now - self._past[oldest] < REMEMBER_SECONDS:
                break
            del self._past[oldest]
