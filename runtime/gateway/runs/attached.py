"""Sends turns to programs that are attached to the gateway as clients, each for one agent.

What a program is given and gives is what an agent's process is given and gives, with the same
numbers; only that it comes as events and requests of a client. A program that has lost its session
attaches itself again and names the turns that it has: it goes on with them. Those that it does not
name have died with the program that had them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from ipc.errors import RemoteError
from ipc.frames.data import TurnAck, TurnBegin, TurnCancel, TurnEnded, TurnEvents, TurnTaken
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE
from runtime.gateway.access.client_view import ClientView
from runtime.gateway.runs.links import TurnTaking
from runtime.gateway.runs.turn_carrier import TurnCarrier
from runtime.gateway.runs.turn_table import ResumedTurn, SendDown, TurnAction
from workers.agent import Turn, TurnOutcome

# The incarnation of an agent without a process, to its runs: it waits for a program by itself, and
# no report of the supervisor takes it for one that has ended.
PRESENT = 1 << 52
LEFT = 1  # of a turn that an earlier gateway has given to a program; programs count from 2
CREDIT = 64 * 1024  # bytes of events of one turn that are not stored yet

TURN, CANCEL, DETACHED = "agent.turn", "agent.turn.cancel", "agent.detached"


class AttachedProgram:
    """A program attached for an agent. ``waiting`` are requests by turn, with their last number."""

    def __init__(self, client: ClientView, agent: str, number: int) -> None:
        self.client = client
        self.agent = agent
        self.number = number
        self.waiting: dict[str, list[tuple[int, int, asyncio.Future[int]]]] = {}

    def unstored(self, turn: str) -> int:
        """Return how many bytes of the events of ``turn`` are not stored yet."""
        return sum(size for _, size, _ in self.waiting.get(turn, ()))


class AttachedTurns(TurnCarrier):
    """The turns of agents for which ``is_attached(key)`` is true; ``link`` has those of all others.

    ``on_ready(agent, incarnation)`` is called when a program can take turns, ``on_change()`` when
    the ``agents`` that have one are others.
    """

    def __init__(
        self,
        link: TurnTaking,
        is_attached: Callable[[str], bool],
        *,
        on_ready: Callable[[str, int], None],
        on_change: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(self._send_frame, clock=clock)
        self._link = link
        self._is_attached = is_attached
        self._on_ready = on_ready
        self._on_change = on_change
        self._programs: dict[str, AttachedProgram] = {}
        self._last = LEFT

    @property
    def agents(self) -> list[str]:
        """The keys of the agents for which a program is attached."""
        return sorted(self._programs)

    def incarnation_of(self, agent: str) -> int:
        """Return the incarnation of an agent that takes turns; 0 for none."""
        return PRESENT if self._is_attached(agent) else self._link.incarnation_of(agent)

    def begin(self, agent: str, turn: Turn, listener: Any, *, attempt: int = 1) -> None:
        """Send a turn to an agent; raises ``ValueError`` if it is too large."""
        if self._is_attached(agent):
            super().begin(agent, turn, listener, attempt=attempt)
        else:
            self._link.begin(agent, turn, listener, attempt=attempt)

    def resume(self, turn: ResumedTurn, listener: Any) -> None:
        """Resume a turn that an earlier gateway has sent."""
        if self._is_attached(turn.agent):
            super().resume(replace(turn, incarnation=LEFT), listener)
        else:
            self._link.resume(turn, listener)

    def on_all_resumed(self, awaited: Iterable[str] = ()) -> None:
        """Allow agents to drop turns without ``resume``, except first ones of ``awaited`` runs."""
        runs = list(awaited)
        super().on_all_resumed(runs)
        self._link.on_all_resumed(runs)

    def release(self, run: str) -> None:
        """Allow agents to drop the first turn of an awaited run."""
        super().release(run)
        self._link.release(run)

    def acknowledge(self, run: str, seq: int, *, attempt: int | None = None) -> None:
        """Acknowledge the stored events of a run."""
        if run in self._table.by_run:
            super().acknowledge(run, seq, attempt=attempt)
        else:
            self._link.acknowledge(run, seq, attempt=attempt)

    def cancel(self, run: str) -> None:
        """Cancel the turn of a run."""
        if run in self._table.by_run:
            super().cancel(run)
        else:
            self._link.cancel(run)

    def attach(
        self, client: ClientView, agent: str, held: Mapping[str, int], *, takeover: bool = False
    ) -> dict[str, int]:
        """Attach a program for an agent; turns are sent to it from now on.

        ``held`` are the turns that it has, each with the number up to which it knows its events
        stored. Return those that it goes on with, each with the number after which it is to send
        its events again; the others are over. Raises ``RemoteError`` where another program is
        attached, unless ``takeover``.
        """
        if not self._is_attached(agent):
            text = f"{agent} takes no program: its kind is not client"
            raise RemoteError(INVALID_REQUEST, text)
        present = self._programs.get(agent)
        if present is not None and present.client is not client:
            if not takeover:
                text = f"another program is attached for {agent}: takeover replaces it"
                raise RemoteError(UNAVAILABLE, text, details={"reason": "attached"})
            self._notify(present, "takeover")
        if present is not None:
            self._drop(present)
        self._last += 1
        program = self._programs[agent] = AttachedProgram(client, agent, self._last)
        kept = self._table.adopt(agent, program.number, held)
        for name in kept:  # an earlier gateway may have stored more than it has said
            self._execute(self._table.receive(agent, program.number, TurnTaken(name, held[name])))
        self._loop.call_soon(self._start_turns, program)  # the answer goes first
        self._on_change()
        return {name: max(stored, held[name]) for name, stored in kept.items()}

    def detach(self, client: ClientView, agent: str) -> bool:
        """Detach a program that ends; its turns die. Return false if it is not attached."""
        program = self._programs.get(agent)
        if program is None or program.client is not client:
            return False
        self._drop(program)
        self._execute(self._table.on_agent_end(agent, program.number))
        self._on_change()
        return True

    def forget(self, client: ClientView) -> None:
        """Remove the programs of a client whose connection has ended; they may attach again."""
        gone = [each for each in self._programs.values() if each.client is client]
        for program in gone:
            self._drop(program)
        if gone:
            self._on_change()

    def on_stopped(self, agent: str) -> None:
        """Detach the program of an agent that is stopped."""
        program = self._programs.get(agent)
        if program is not None:
            self._notify(program, "stopped")
            self.detach(program.client, agent)

    def receive_events(
        self, client: ClientView, turn: str, first: int, payloads: Sequence[bytes]
    ) -> asyncio.Future[int]:
        """Receive events of a turn, numbered from ``first`` on.

        The result is the number up to which they are stored, 0 where the turn is over. Raises
        ``RemoteError`` for a gap, and for more than ``CREDIT`` allows.
        """
        last, size = first + len(payloads) - 1, sum(map(len, payloads))
        program, got = self._of_turn(client, turn)
        if program is None:
            return self._done_future()
        if first > got + 1:
            raise _gap(f"event {first} of {turn} comes after {got}: {got + 1} is the next", got)
        if program.unstored(turn) + size > CREDIT:
            text = f"more than {CREDIT} bytes of {turn} are not stored yet: wait for answers"
            raise RemoteError(INVALID_REQUEST, text, details={"reason": "credit"})
        return self._receive(program, TurnEvents(turn, first, list(payloads)), last, size)

    def receive_end(
        self, client: ClientView, turn: str, seq: int, outcome: TurnOutcome
    ) -> asyncio.Future[int]:
        """Receive the end of a turn, which has the number ``seq``; as ``receive_events``."""
        program, got = self._of_turn(client, turn)
        if program is None:
            return self._done_future()
        if seq > got + 1:
            raise _gap(f"the end of {turn} has the number {got + 1}, not {seq}", got)
        return self._receive(program, TurnEnded(turn, seq, msgspec.json.encode(outcome)), seq, 0)

    def _of_turn(self, client: ClientView, turn: str) -> tuple[AttachedProgram | None, int]:
        """Return the program that has a turn, and its newest number; ``None`` if it is over."""
        open_turn = self._table.find(turn)
        if open_turn is None:
            return None, 0
        program = self._programs.get(open_turn.agent)
        if program is None or program.client is not client:
            text = f"this client is not attached for {open_turn.agent}"
            raise RemoteError(INVALID_REQUEST, text, details={"reason": "detached"})
        if open_turn.incarnation != program.number:
            return None, 0
        return program, open_turn.got

    def _receive(
        self, program: AttachedProgram, frame: TurnEvents | TurnEnded, last: int, size: int
    ) -> asyncio.Future[int]:
        future: asyncio.Future[int] = self._loop.create_future()
        open_turn = self._table.find(frame.turn)
        if open_turn is not None and last <= open_turn.stored:  # it has come before
            future.set_result(open_turn.stored)
            return future
        program.waiting.setdefault(frame.turn, []).append((last, size, future))
        self._execute(self._table.receive(program.agent, program.number, frame))
        return future

    def _done_future(self) -> asyncio.Future[int]:
        future: asyncio.Future[int] = self._loop.create_future()
        future.set_result(0)
        return future

    def _start_turns(self, program: AttachedProgram) -> None:
        if self._programs.get(program.agent) is program:
            self._execute(self._table.on_welcome(program.agent, program.number))
            self._on_ready(program.agent, PRESENT)  # for those whose last program has died

    def _execute(self, actions: list[TurnAction]) -> None:
        super()._execute(actions)
        for program in self._programs.values():  # requests for what is over are answered, too
            for turn in [each for each in program.waiting if self._table.find(each) is None]:
                for _, _, future in program.waiting.pop(turn):
                    if not future.done():
                        future.set_result(0)

    def _send_frame(self, action: SendDown) -> None:
        program = self._programs.get(action.agent)
        if program is None or program.number != action.incarnation:
            return  # it is sent again to the next one
        match action.frame:
            case TurnBegin(turn, payload, after):
                about = {"agentId": _id_of(action.agent), "turn": turn, "after": after}
                request = about | {"request": msgspec.Raw(payload)}
                program.client.send_unnumbered(TURN, request)
            case TurnCancel(turn):
                about = {"agentId": _id_of(action.agent), "turn": turn}
                program.client.send_unnumbered(CANCEL, about)
            case TurnAck(turn, seq):
                waiting = program.waiting.get(turn, [])
                for last, _, future in waiting:
                    if last <= seq and not future.done():
                        future.set_result(seq)
                waiting[:] = [each for each in waiting if not each[2].done()]

    def _notify(self, program: AttachedProgram, reason: str) -> None:
        about = {"agentId": _id_of(program.agent), "reason": reason}
        program.client.send_unnumbered(DETACHED, about)

    def _drop(self, program: AttachedProgram) -> None:
        """Remove a program; its turns go on."""
        del self._programs[program.agent]
        self._table.on_disconnect(program.agent)
        for waiting in program.waiting.values():
            for _, _, future in waiting:
                future.cancel()


def _id_of(agent: str) -> str:
    return agent.partition(":")[2]


def _gap(text: str, got: int) -> RemoteError:
    """Return the refusal of what comes after a gap; ``got`` is the newest number before it."""
    return RemoteError(INVALID_REQUEST, text, details={"reason": "gap", "next": got + 1})
