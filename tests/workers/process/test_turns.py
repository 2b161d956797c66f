"""Turns run side by side, are kept until acknowledged, and each end has its class."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Concatenate, ParamSpec, cast

import pytest
import structlog

from ipc.frames import data
from ipc.frames.bootstrap import WorkerBoot
from tests.support.controllable_agent import ControllableAgent, ControllableAgentConfig
from tests.support.turns import Received, begin
from tests.support.until import until
from workers.agent import Delta, Final, Notice, ToolCall, ToolResult, TurnOutcome, Usage
from workers.links.agent_data import AgentDataLink
from workers.links.turn_queue import CREDIT_BYTES, CREDIT_EVENTS
from workers.process import turns as turns_module
from workers.process.turns import AgentTurns

P = ParamSpec("P")


class Life:
    """The turns of one agent behind a link that is never opened: the test is the gateway."""

    def __init__(self, **config: Any) -> None:
        boot = WorkerBoot("agent:test", 1, "", "", "", "", {}, "", "")
        log = structlog.get_logger()
        self.link = AgentDataLink(boot, lambda call, gateway: None, log)
        self.outcomes: list[TurnOutcome] = []
        self.turns = AgentTurns(
            self.link,
            log,
            redact=lambda text: text.replace("secret", "***"),
            on_outcome=self.outcomes.append,
        )
        ctx: Any = type("Context", (), {"config": ControllableAgentConfig(**config)})()
        self.agent = ControllableAgent(ctx)
        self.turns.begin(self.agent, ControllableAgent.explain)
        self.received = Received()

    def send(self, *frames: data.TurnBegin | data.TurnAck | data.TurnCancel) -> None:
        for frame in frames:
            self.turns.on_frame(frame)

    def pull(self) -> Received:
        """Take what the link would send."""
        while pack := self.link.queue.next_pack():
            for frame in pack:
                self.received.take(frame)
        return self.received

    async def end_of(self, run: str = "run-1") -> TurnOutcome:
        await until(lambda: self.pull().outcome(run))
        return cast(TurnOutcome, self.received.outcome(run))


def alive(test: Callable[Concatenate[Life, P], Awaitable[None]]) -> Callable[P, Awaitable[None]]:
    """Give a test the turns of an agent, which are cancelled afterwards."""

    async def run(*args: P.args, **kwargs: P.kwargs) -> None:
        life = Life()
        try:
            await test(life, *args, **kwargs)
        finally:
            life.agent.go.set()
            await life.turns.cancel(None)

    signature = inspect.signature(test)
    others = list(signature.parameters.values())[1:]
    run.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]
    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@alive
async def test_a_turn_is_taken_runs_and_ends(life: Life) -> None:
    life.send(begin("whole"))
    outcome = await life.end_of()
    assert life.received.frames[0] == data.TurnTaken("run-1", 0)
    assert life.received.events() == [
        Delta("draft"),
        ToolCall("1", "add", {"a": 1}),
        ToolResult("1", "2"),
        Notice("thinks"),
    ]
    assert outcome == TurnOutcome("final", Final("the answer", Usage(3, 5), "stop", "m-1"))
    assert life.received.ends()[0].seq == 5
    assert (life.turns.begun, life.turns.ended, life.turns.running) == (1, 1, 0)
    assert life.outcomes == [outcome]


@alive
async def test_without_a_final_the_answer_is_all_deltas(life: Life) -> None:
    life.send(begin("count 3"))
    outcome = await life.end_of()
    assert outcome == TurnOutcome("final", Final("0 1 2 "))


@pytest.mark.parametrize(
    ("text", "kind", "error"),
    [
        ("raise transient", "transient", "later"),
        ("raise late rate", "rate_limited", "429"),
        ("raise refused", "refused", "against the rules"),
        ("raise misconfigured", "misconfigured", "no such model"),
        ("raise login", "needs_login", "wrong key"),
        ("raise network", "transient", "ConnectionResetError: gone"),
        ("raise bug", "failed", "ValueError: a bug"),
        ("raise exit", "failed", "SystemExit: 3"),
        ("raise cancel", "failed", "the agent cancelled its own turn"),
        ("raise odd", "rate_limited", "explained"),
        ("odd secret", "failed", "turn yielded dict, which is not an event"),
        ("final x", "failed", "a malformed answer: Expected `object | null`, got `str`"),
        ("long 300000", "failed", "an answer of more than 262144 characters"),
    ],
)
@alive
async def test_what_a_turn_raises_ends_it_alone(
    life: Life, text: str, kind: str, error: str
) -> None:
    life.send(begin(text), begin("count 1", "other"))
    outcome = await life.end_of()
    assert (outcome.state, outcome.kind) == ("error", kind)
    assert outcome.error.startswith(error)
    assert (await life.end_of("other")).state == "final"
    life.send(begin("count 1", "next"))
    assert (await life.end_of("next")).state == "final"


@alive
async def test_an_agent_that_returns_no_iterator_is_told_so(life: Life) -> None:
    async def turn(turn: Any) -> str:
        return "answer"

    life.agent.turn = turn  # type: ignore[method-assign, assignment]
    life.send(begin("x"))
    outcome = await life.end_of()
    assert (outcome.kind, "coroutine" in outcome.error) == ("failed", True)


@alive
async def test_pieces_are_joined_while_the_gateway_has_not_taken_the_last(life: Life) -> None:
    """However many an agent yields: what a busy gateway has to do is bounded by their text."""
    life.send(begin("count 1000", "many"))
    assert await life.end_of("many") == TurnOutcome(
        "final", Final("".join(f"{number} " for number in range(1000)))
    )
    assert len(life.received.events("many")) <= 2


@alive
async def test_what_was_joined_goes_out_with_the_acknowledgement(life: Life) -> None:
    async def turn(turn: Any) -> AsyncIterator[Any]:
        yield Delta("first")
        await asyncio.sleep(0)
        for piece in "abc":
            yield Delta(piece)
            await asyncio.sleep(0)
        await life.agent.go.wait()

    life.agent.turn = turn  # type: ignore[method-assign]
    life.send(begin("x"))
    await until(lambda: life.pull().events() == [Delta("first")])
    for _ in range(20):
        await asyncio.sleep(0)
    assert life.pull().events() == [Delta("first")]
    assert len(life.link.queue) == 0
    life.send(data.TurnAck("run-1", 1))
    assert life.pull().events() == [Delta("first"), Delta("abc")]


@alive
async def test_the_agent_waits_while_64_kib_are_not_acknowledged(life: Life) -> None:
    life.send(begin("notices 400"))
    log = life.link.queue.logs["run-1"]
    await until(lambda: not log.has_room)
    for _ in range(50):
        await asyncio.sleep(0)
    assert CREDIT_BYTES <= log.unacked_bytes < CREDIT_BYTES + 500
    life.pull()
    before = log.last
    life.send(data.TurnAck("run-1", 10))
    await until(lambda: log.last >= before + 9)


@alive
async def test_the_agent_waits_while_256_events_are_not_acknowledged(life: Life) -> None:
    life.send(begin("notices 1"))
    log = life.link.queue.logs["run-1"]
    await until(lambda: not log.has_room)
    for _ in range(50):
        await asyncio.sleep(0)
    assert (log.last, log.unacked_bytes < CREDIT_BYTES) == (CREDIT_EVENTS, True)
    life.pull()
    life.send(data.TurnAck("run-1", 10))
    await until(lambda: log.last == CREDIT_EVENTS + 10)


@alive
async def test_a_turn_that_yields_nothing_for_ever_lets_others_run(life: Life) -> None:
    life.send(begin("flood nothing"), begin("count 1", "other"))
    assert (await life.end_of("other")).state == "final"
    life.send(data.TurnCancel("run-1"))
    assert (await life.end_of()).state == "aborted"


@alive
async def test_a_turn_that_is_cancelled_ends_at_once(life: Life) -> None:
    life.send(begin("hang first"))
    await until(lambda: life.pull().events())
    life.send(data.TurnCancel("run-1"), data.TurnCancel("run-1"))
    assert life.pull().outcome() == TurnOutcome("aborted")
    await until(lambda: life.agent.cancelled == ["run-1"])
    assert len(life.received.ends()) == 1


@alive
async def test_a_turn_that_ignores_its_cancellation_has_ended_all_the_same(life: Life) -> None:
    life.send(begin("deaf"))
    await until(lambda: life.agent.texts)
    life.send(data.TurnCancel("run-1"))
    assert await life.end_of() == TurnOutcome("aborted")
    life.send(data.TurnAck("run-1", 1))
    life.agent.go.set()
    assert life.received.events() == []


@alive
async def test_a_turn_ends_at_its_deadline(life: Life) -> None:
    life.send(begin("hang", seconds=0.05), begin("hang", "late", seconds=-1))
    assert life.pull().outcome("late") == TurnOutcome("timeout")
    assert await life.end_of() == TurnOutcome("timeout")
    await until(lambda: life.agent.cancelled == ["run-1"])
    assert life.agent.runs == ["run-1"], "one that is over already does not begin"


@alive
async def test_a_turn_that_is_held_begins_nothing_and_sends_what_is_missing(life: Life) -> None:
    life.send(begin("whole"))
    await life.end_of()
    life.send(data.TurnAck("run-1", 1))
    life.received.frames.clear()
    life.send(begin("whole", after=3))
    life.pull()
    assert life.received.taken() == [data.TurnTaken("run-1", 1)]
    assert life.received.numbered() == {4: Notice("thinks")}
    assert [end.seq for end in life.received.ends()] == [5]
    assert len(life.agent.texts) == 1


@alive
async def test_a_turn_that_is_over_is_not_run_again_for_a_while(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    life.send(begin("count 1"))
    await life.end_of()
    life.send(data.TurnAck("run-1", 2))
    assert life.link.queue.logs == {}
    life.send(begin("count 1"))
    assert life.link.dropped == {"late turns": 1}
    life.received.frames.clear()
    assert await life.end_of() == TurnOutcome("aborted"), "the gateway knows that it needs another"
    assert life.received.ends()[0].seq == 1
    life.send(data.TurnAck("run-1", 1))
    assert life.link.queue.logs == {}
    monkeypatch.setattr(turns_module, "REMEMBERED", 1)
    life.send(begin("count 1", "run-2"))
    await life.end_of("run-2")
    life.send(data.TurnAck("run-2", 2), begin("count 1"))  # forgotten: there are too many
    await until(lambda: len(life.agent.texts) == 3)


@pytest.mark.parametrize(("payload", "after"), [(b"", 0), (b"", 7), (b"{}", 7)])
@alive
async def test_a_turn_that_should_go_on_and_is_not_here_is_aborted_and_not_begun(
    life: Life, payload: bytes, after: int
) -> None:
    life.send(data.TurnBegin("run-1", payload, after))
    assert await life.end_of() == TurnOutcome("aborted")
    assert life.received.ends()[0].seq == after + 1
    assert life.agent.texts == []


@pytest.mark.parametrize("payload", [b"{}", b"[" * 200 + b"]" * 200, b"\xff", b'{"run": 5}'])
@alive
async def test_a_malformed_turn_fails_and_hurts_nothing(life: Life, payload: bytes) -> None:
    life.send(data.TurnBegin("run-1", payload), begin("count 1", "other"))
    outcome = await life.end_of()
    assert (outcome.kind, outcome.error[:17]) == ("failed", "a malformed turn:")
    assert (await life.end_of("other")).state == "final"


@alive
async def test_too_many_turns_are_refused_until_some_have_ended(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns_module, "MAX_HELD", 1)
    life.send(begin("hang"), begin("count 1", "second"))
    outcome = await life.end_of("second")
    assert (outcome.kind, outcome.error) == ("transient", "1 turns are running")


@alive
async def test_frames_of_turns_that_are_not_there_change_nothing(life: Life) -> None:
    life.send(data.TurnAck("x", 5), data.TurnCancel("x"))
    assert life.pull().frames == []


@alive
async def test_errors_are_redacted(life: Life) -> None:
    async def turn(turn: Any) -> AsyncIterator[Any]:
        raise ValueError("key secret is wrong")
        yield

    life.agent.turn = turn  # type: ignore[method-assign]
    life.send(begin("x"))
    assert (await life.end_of()).error == "ValueError: key *** is wrong"


@alive
async def test_when_the_process_ends_turns_are_cancelled_and_have_no_end(life: Life) -> None:
    life.send(begin("hang"), begin("count 1", "done"))
    await life.end_of("done")
    assert await life.turns.cancel(None)
    assert life.agent.cancelled == ["run-1"]
    assert life.pull().ends() == []
    life.send(begin("count 1", "new"))
    assert life.pull().taken("new") == []


@alive
async def test_a_drain_waits_until_every_end_is_acknowledged(life: Life) -> None:
    life.send(begin("hang"))
    await until(lambda: life.agent.texts)
    draining = asyncio.create_task(life.turns.finish())
    await asyncio.sleep(0)
    life.send(begin("count 1", "new"))  # for the next process
    life.agent.go.set()
    await life.end_of()
    assert not draining.done()
    life.send(data.TurnAck("run-1", 2))
    await draining
    assert life.agent.texts == ["hang"]


@alive
async def test_the_agent_cleans_up_after_the_end(life: Life) -> None:
    """The generator's own ``finally`` runs, also where more could be yielded."""
    closed: list[str] = []

    async def turn(turn: Any) -> AsyncIterator[Any]:
        try:
            yield Final("done")
            yield Delta("never asked for")
        finally:
            closed.append(turn.run)

    life.agent.turn = turn  # type: ignore[method-assign]
    life.send(begin("x"))
    await life.end_of()
    await until(lambda: closed == ["run-1"])
