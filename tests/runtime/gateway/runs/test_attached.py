"""Programs that are attached: turns, numbers, credit, and what becomes of turns they leave."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from ipc.errors import RemoteError
from runtime.gateway.runs.attached import CREDIT, LEFT, PRESENT, AttachedTurns
from runtime.gateway.runs.turn_table import ResumedTurn
from tests.support.turns import in_ms, turn_of
from tests.support.until import until
from workers.agent import Delta, Final, ToolCall, TurnEvent, TurnOutcome

KEY = "agent:prog"
NAME = "1:run-1"
FINAL = TurnOutcome("final", Final("well"))


class Program:
    """A client that remembers its events."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def send_unnumbered(self, name: str, payload: dict[str, Any]) -> None:
        self.told.append((name, payload))

    def named(self, name: str) -> list[dict[str, Any]]:
        return [payload for event, payload in self.told if event == name]


class Rest:
    """The turns of all other agents: notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def note(*_: Any, **__: Any) -> int:
            self.asked.append(name)
            return 7

        return note


class Listener:
    """Whoever begins a turn; acknowledges at once where ``stores``."""

    def __init__(self, turns: AttachedTurns, *, stores: bool = True) -> None:
        self.turns, self.stores = turns, stores
        self.events: list[TurnEvent] = []
        self.outcomes: list[TurnOutcome] = []
        self.deaths: list[bool] = []

    def on_sent(self, incarnation: int) -> None:
        pass

    def on_events(self, events: list[TurnEvent], last: int) -> None:
        self.events += events
        if self.stores:
            self.turns.acknowledge("run-1", last)

    def on_end(self, outcome: TurnOutcome, seq: int) -> None:
        self.outcomes.append(outcome)
        self.turns.acknowledge("run-1", seq)

    def on_death(self, seen: bool) -> None:
        self.deaths.append(seen)


class Rig:
    def __init__(self) -> None:
        self.rest = Rest()
        self.ready: list[int] = []
        self.changes = 0
        self.turns = AttachedTurns(
            self.rest,
            lambda key: key == KEY,
            on_ready=lambda agent, incarnation: self.ready.append(incarnation),
            on_change=self._changed,
        )

    def _changed(self) -> None:
        self.changes += 1

    async def attached(self, **more: Any) -> Program:
        program = Program()
        client: Any = program
        self.turns.attach(client, KEY, {}, **more)
        await asyncio.sleep(0)
        return program

    def begin(self, **more: Any) -> Listener:
        listener = Listener(self.turns, **more)
        self.turns.begin(KEY, turn_of("hello"), listener)
        return listener

    def events(self, program: Any, first: int, *events: TurnEvent) -> asyncio.Future[int]:
        payloads = [msgspec.json.encode(each) for each in events]
        return self.turns.receive_events(program, NAME, first, payloads)


async def test_a_turn_waits_for_a_program_and_is_answered_by_it() -> None:
    rig = Rig()
    listener = rig.begin()
    assert rig.turns.incarnation_of(KEY) == PRESENT
    program = await rig.attached()
    assert (rig.turns.agents, rig.changes, rig.ready) == ([KEY], 1, [PRESENT])
    (sent,) = program.named("agent.turn")
    assert (sent["agentId"], sent["turn"], sent["after"]) == ("prog", NAME, 0)
    assert msgspec.json.decode(sent["request"])["text"] == "hello"
    assert await rig.events(program, 1, Delta("we"), Delta("ll")) == 2
    assert await rig.events(program, 1, Delta("we"), Delta("ll")) == 2, "again: it is stored"
    assert await rig.turns.receive_end(program, NAME, 3, FINAL) == 3  # type: ignore[arg-type]
    assert (listener.events, listener.outcomes) == ([Delta("we"), Delta("ll")], [FINAL])
    assert await rig.events(program, 4, Delta("more")) == 0, "it is over"


async def test_other_agents_are_asked_elsewhere() -> None:
    rig = Rig()
    other = "agent:other"
    assert rig.turns.incarnation_of(other) == 7
    rig.turns.begin(other, turn_of("x"), None)
    rig.turns.resume(ResumedTurn(other, "run-1", 1, 3, 1, seen=False), None)
    rig.turns.acknowledge("run-1", 1)
    rig.turns.cancel("run-1")
    rig.turns.on_all_resumed()
    rig.turns.release("run-1")
    asked = [
        "incarnation_of",
        "begin",
        "resume",
        "acknowledge",
        "cancel",
        "on_all_resumed",
        "release",
    ]
    assert rig.rest.asked == asked
    with pytest.raises(RemoteError, match="takes no program"):
        rig.turns.attach(Program(), other, {})  # type: ignore[arg-type]


async def test_one_at_a_time_unless_it_takes_over() -> None:
    rig = Rig()
    first = await rig.attached()
    with pytest.raises(RemoteError, match="another program") as refused:
        await rig.attached()
    assert refused.value.details == {"reason": "attached"}
    second = await rig.attached(takeover=True)
    assert first.named("agent.detached") == [{"agentId": "prog", "reason": "takeover"}]
    rig.begin()
    assert len(second.named("agent.turn")) == 1
    with pytest.raises(RemoteError, match="not attached") as refused:
        rig.events(first, 1, Delta("x"))
    assert refused.value.details == {"reason": "detached"}


async def test_a_program_that_comes_back_goes_on_with_its_turn() -> None:
    rig = Rig()
    listener = rig.begin()
    first: Any = await rig.attached()
    await rig.events(first, 1, Delta("we"))
    rig.turns.forget(first)
    assert rig.turns.agents == []
    second: Any = Program()
    assert rig.turns.attach(second, KEY, {NAME: 1, "1:gone": 4}) == {NAME: 1}
    await asyncio.sleep(0)
    assert second.told == [], "it has the turn"
    assert await rig.events(second, 2, Delta("ll")) == 2
    assert listener.deaths == []


@pytest.mark.parametrize("seen", [False, True])
async def test_a_turn_that_no_program_has_any_more_has_died(seen: bool) -> None:
    rig = Rig()
    listener = rig.begin()
    first: Any = await rig.attached()
    if seen:
        await rig.events(first, 1, ToolCall("1", "f"))
    rig.turns.forget(first)
    await rig.attached()
    assert listener.deaths == [seen]


async def test_a_turn_that_came_while_nobody_was_there_has_not() -> None:
    rig = Rig()
    first: Any = await rig.attached()
    rig.turns.forget(first)
    listener = rig.begin()
    second = await rig.attached()
    assert len(second.named("agent.turn")) == 1
    assert listener.deaths == []


async def test_a_new_gateway_goes_on_with_what_a_program_has() -> None:
    rig = Rig()
    listener = Listener(rig.turns)
    late = in_ms(60)
    rig.turns.resume(ResumedTurn(KEY, "run-1", late, PRESENT, 2, seen=True), listener)
    program: Any = Program()
    assert rig.turns.attach(program, KEY, {NAME: 3}) == {NAME: 3}, "more was stored than is known"
    assert await rig.turns.receive_end(program, NAME, 4, FINAL) == 4
    assert listener.outcomes == [FINAL]
    assert LEFT < 2


async def test_gaps_and_too_much_at_once_are_refused() -> None:
    rig = Rig()
    listener = rig.begin(stores=False)
    program: Any = await rig.attached()
    with pytest.raises(RemoteError) as refused:
        rig.events(program, 2, Delta("x"))
    assert refused.value.details == {"reason": "gap", "next": 1}
    with pytest.raises(RemoteError) as refused:
        rig.turns.receive_end(program, NAME, 2, FINAL)
    assert refused.value.details == {"reason": "gap", "next": 1}
    waits = rig.events(program, 1, Delta("x" * (CREDIT - 100)))
    with pytest.raises(RemoteError) as refused:
        rig.events(program, 2, Delta("x" * 100))
    assert refused.value.details == {"reason": "credit"}
    rig.turns.acknowledge("run-1", 1)
    assert await waits == 1
    listener.stores = True
    assert await rig.events(program, 2, Delta("x" * 100)) == 2


async def test_a_turn_that_is_cancelled_or_late_is_over_for_its_program() -> None:
    rig = Rig()
    listener = rig.begin(stores=False)
    program: Any = await rig.attached()
    rig.turns.cancel("run-1")
    assert program.named("agent.turn.cancel") == [{"agentId": "prog", "turn": NAME}]
    await rig.turns.receive_end(program, NAME, 1, TurnOutcome("aborted"))
    late = Listener(rig.turns)
    rig.turns.begin(KEY, turn_of("x", "run-2", seconds=0.01), late)
    rig.turns.forget(program)
    await until(lambda: late.outcomes or late.deaths, 10)
    assert listener.outcomes == [TurnOutcome("aborted")]
    assert late.outcomes == [TurnOutcome("timeout")]


async def test_an_agent_that_is_stopped_sends_its_program_away() -> None:
    rig = Rig()
    listener = rig.begin()
    program: Any = await rig.attached()
    rig.turns.on_stopped(KEY)
    assert program.named("agent.detached") == [{"agentId": "prog", "reason": "stopped"}]
    assert (rig.turns.agents, listener.deaths) == ([], [False])
    assert not rig.turns.detach(program, KEY)
    rig.turns.on_stopped(KEY)
