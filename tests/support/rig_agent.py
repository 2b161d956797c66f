"""The echo agent of a gateway rig: a worker that speaks the frames of turns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ipc.frames.data import Answer, Call, TurnBegin, TurnEnded, TurnEvents, TurnTaken
from tests.support.gateway_rig import GatewayRig, Worker
from tests.support.until import until
from workers.agent import Final, TurnEvent, TurnOutcome

AGENT = "agent:echo"


async def echo_agent(rig: GatewayRig, incarnation: int = 1) -> Worker:
    """Return the process of the echo agent, which answers each turn at once."""
    worker = await rig.worker(AGENT, incarnation)

    def take(frame: Any) -> None:
        if isinstance(frame, TurnBegin):
            text = msgspec.json.decode(frame.payload)["text"]
            outcome = TurnOutcome("final", Final(f"echo: {text}"))
            end = TurnEnded(frame.turn, 1, msgspec.json.encode(outcome))
            worker.send(TurnTaken(frame.turn, 0), end)

    _give(worker, take)
    return worker


async def failing_agent(rig: GatewayRig, outcome: TurnOutcome) -> Worker:
    """Return the process of the echo agent, which ends each turn at once with ``outcome``."""
    worker = await rig.worker(AGENT)

    def take(frame: Any) -> None:
        if isinstance(frame, TurnBegin):
            end = TurnEnded(frame.turn, 1, msgspec.json.encode(outcome))
            worker.send(TurnTaken(frame.turn, 0), end)

    _give(worker, take)
    return worker


def delivered(call: Call) -> Answer:
    """Return the answer of a worker that has sent a message."""
    assert call.method == "deliver"
    return Answer(call.id, True, b'{"sent":[{"id":"1","chat":"person-1","ts":1}]}')


def _give(worker: Worker, take: Callable[[Any], None]) -> None:
    """Pass frames to the worker on to ``take``, including those from before its welcome."""
    worker.on_frame = take
    while not worker.frames.empty():
        take(worker.frames.get_nowait())


class HeldAgent:
    """Keeps turns until the test ends them; ``turns`` are their names, in order."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._seq: dict[str, int] = {}
        self.turns: list[str] = []
        self.asked: list[dict[str, Any]] = []
        _give(worker, self._take)

    def _take(self, frame: Any) -> None:
        if isinstance(frame, TurnBegin):
            self.turns.append(frame.turn)
            self.asked.append(msgspec.json.decode(frame.payload))
            self._worker.send(TurnTaken(frame.turn, 0))

    def yields(self, *events: TurnEvent) -> None:
        """Let the newest turn yield an event."""
        turn = self.turns[-1]
        first = self._seq.get(turn, 0) + 1
        self._seq[turn] = first + len(events) - 1
        self._worker.send(TurnEvents(turn, first, [msgspec.json.encode(each) for each in events]))

    def ends(self, outcome: TurnOutcome, turn: str = "") -> None:
        """End the newest turn, or the named one."""
        turn = turn or self.turns[-1]
        end = TurnEnded(turn, self._seq.get(turn, 0) + 1, msgspec.json.encode(outcome))
        self._worker.send(end)

    def answers(self, text: str) -> None:
        """End the newest turn with an answer."""
        self.ends(TurnOutcome("final", Final(text)))


async def held_agent(rig: GatewayRig) -> HeldAgent:
    """Return the process of the echo agent, which waits for the test."""
    return HeldAgent(await rig.worker(AGENT))


async def turn_of(agent: HeldAgent, number: int = 1) -> dict[str, Any]:
    """Return the request of an agent's n-th turn, once it has come."""
    await until(lambda: len(agent.turns) >= number)
    return agent.asked[number - 1]
