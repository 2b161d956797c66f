"""Turns for tests, and the events that an agent's process sends of them."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from ipc.frames import data
from tests.support.worker_rig import FakeGateway
from workers.agent import Turn, TurnEvent, TurnOutcome


def in_ms(seconds: float) -> int:
    """Return the time so many seconds from now, in epoch milliseconds."""
    return int((time.time() + seconds) * 1000)


def turn_of(text: str, run: str = "run-1", *, seconds: float = 60.0, **more: Any) -> Turn:
    return Turn(run, "agent:test:main", "test", text, in_ms(seconds), **more)


def begin(text: str, run: str = "run-1", *, after: int = 0, **more: Any) -> data.TurnBegin:
    return data.TurnBegin(run, msgspec.json.encode(turn_of(text, run, **more)), after)


def events_of(payloads: list[bytes]) -> list[TurnEvent]:
    return [msgspec.json.decode(payload, type=TurnEvent) for payload in payloads]


class Received:
    """The received events of turns, by run: in order, each number once, and the end."""

    def __init__(self) -> None:
        self.frames: list[data.TurnTaken | data.TurnEvents | data.TurnEnded] = []

    def take(self, frame: Any) -> None:
        if isinstance(frame, data.TurnTaken | data.TurnEvents | data.TurnEnded):
            self.frames.append(frame)

    def numbered(self, run: str = "run-1") -> dict[int, TurnEvent]:
        return {
            number: event
            for frame in self.frames
            if isinstance(frame, data.TurnEvents) and frame.turn == run
            for number, event in enumerate(events_of(frame.payloads), frame.first)
        }

    def events(self, run: str = "run-1") -> list[TurnEvent]:
        found = self.numbered(run)
        assert sorted(found) == list(range(1, len(found) + 1))
        return [found[number] for number in sorted(found)]

    def ends(self, run: str = "run-1") -> list[data.TurnEnded]:
        return [f for f in self.frames if isinstance(f, data.TurnEnded) and f.turn == run]

    def outcome(self, run: str = "run-1") -> TurnOutcome | None:
        ends = self.ends(run)
        return msgspec.json.decode(ends[0].payload, type=TurnOutcome) if ends else None

    def taken(self, run: str = "run-1") -> list[data.TurnTaken]:
        return [f for f in self.frames if isinstance(f, data.TurnTaken) and f.turn == run]


def follow(gateway: FakeGateway) -> Received:
    """Collect what an agent sends to this gateway."""
    received = Received()
    gateway.heed = received.take
    return received
