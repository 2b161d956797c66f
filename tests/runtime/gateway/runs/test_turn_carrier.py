"""What carries turns: names, sizes, deadlines, and listeners that fail."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ipc.frames.data import MAX_TURN_BYTES
from runtime.gateway.runs.turn_carrier import OversizedTurn, TurnCarrier, name_of, payload_of
from runtime.gateway.runs.turn_table import SendDown
from tests.support.turns import turn_of
from tests.support.until import until
from workers.agent import HistoryItem, TurnOutcome

KEY = "agent:test"


def test_a_turn_beyond_what_goes_to_an_agent_is_refused_at_once() -> None:
    history = [HistoryItem("user", "x" * 1000, 1)] * 800
    with pytest.raises(OversizedTurn, match=r"run run-1 has 8\d+ bytes, at most 786432 .*history"):
        payload_of(turn_of("x", history=history))
    assert len(payload_of(turn_of("x", history=history[:700]))) < MAX_TURN_BYTES


class Faulty:
    """Whoever begins a turn, and fails whatever is handed on."""

    def __init__(self) -> None:
        self.outcomes: list[TurnOutcome] = []

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def on_end(self, outcome: TurnOutcome, seq: int) -> None:
        self.outcomes.append(outcome)
        raise RuntimeError("it does not follow")


async def test_a_turn_ends_at_its_deadline_and_a_fault_of_who_began_it_is_his_own() -> None:
    sent: list[SendDown] = []
    carrier = TurnCarrier(sent.append)
    caller = Faulty()
    carrier.begin(KEY, turn_of("x", "run-1", seconds=0.01), caller)
    with pytest.raises(ValueError, match="has a turn already"):
        carrier.begin(KEY, turn_of("x", "run-1"), caller)
    await until(lambda: caller.outcomes)
    assert caller.outcomes == [TurnOutcome("timeout")]
    assert (len(carrier), sent) == (0, [])


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_that_is_set_changes_no_deadline(
    hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steady, ahead = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: steady() + ahead)
    carrier = TurnCarrier(lambda action: None, clock=lambda: time.time())
    soon, later = Faulty(), Faulty()
    carrier.begin(KEY, turn_of("x", "run-1", seconds=0.05), soon)
    carrier.begin(KEY, turn_of("x", "run-2", seconds=600), later)
    ahead = hours * 3600.0
    await until(lambda: soon.outcomes)
    carrier.acknowledge("run-1", 0)
    assert (soon.outcomes, later.outcomes) == ([TurnOutcome("timeout")], [])
    carrier.close()


async def test_two_attempts_have_two_names() -> None:
    assert name_of("r", 1) != name_of("r", 2)
    carrier = TurnCarrier(lambda action: None)
    carrier.begin(KEY, turn_of("x", "run-1"), Faulty())
    carrier.cancel("run-1")
    assert len(carrier) == 0
    carrier.begin(KEY, turn_of("x", "run-1"), Faulty(), attempt=2)
    assert len(carrier) == 1
    carrier.close()
