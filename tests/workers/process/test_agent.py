"""An agent in its worker: it loads, is ready, takes turns, and every way to end has its cause."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ipc.frames import control, data
from tests.support.controllable_agent import AGENT, ControllableAgent
from tests.support.turns import begin, follow
from tests.support.until import until
from tests.support.worker_rig import WorkerRig, worker_rig
from workers.agent import AgentManifest, Delta, Final, TurnOutcome
from workers.errors import Misconfigured
from workers.process.agent import agent_class

KEY = "agent:test"


async def up(rig: WorkerRig, **changes: Any) -> ControllableAgent:
    rig.start(AGENT, key=KEY, **changes)
    await rig.supervisor.until(lambda: rig.supervisor.of(control.WorkerReady))
    await rig.gateway.until(lambda: rig.gateway.hellos)
    return ControllableAgent.latest


async def test_it_is_ready_once_it_is_made_and_takes_turns(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        agent = await up(rig, config={"token": "sesame"})
        assert (agent.ctx.key, agent.ctx.agent_id) == (KEY, "test")
        assert agent.ctx.config.token == "sesame"
        assert agent.ctx.storage.is_dir()
        received = follow(rig.gateway)
        rig.gateway.send(begin("count 2"))
        await rig.gateway.until(received.outcome)
        assert received.events() == [Delta("0 1 ")], "what one turn of its loop has made is one"
        assert received.outcome() == TurnOutcome("final", Final("0 1 "))
        rig.gateway.send(data.TurnAck("run-1", 2))
        await rig.supervisor.until(lambda: rig.supervisor.status().get("mode") == "test")
        assert await rig.stop() == 0


async def test_the_echo_agent_runs(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start("workers.agents.echo:manifest", key=KEY)
        await rig.supervisor.until(lambda: rig.supervisor.of(control.WorkerReady))
        await rig.gateway.until(lambda: rig.gateway.hellos)
        received = follow(rig.gateway)
        rig.gateway.send(begin("hello"))
        await rig.gateway.until(received.outcome)
        assert received.outcome() == TurnOutcome("final", Final("echo: hello"))
        rig.gateway.send(data.TurnAck("run-1", 1))
        assert await rig.stop() == 0


@pytest.mark.parametrize(
    ("manifest", "config", "code", "cause", "text"),
    [
        (AGENT, {"run": "return"}, 1, "returned", "run returned"),
        (AGENT, {"run": "fail"}, 78, "misconfigured", "no server"),
        (AGENT, {"run": 5}, 78, "misconfigured", "configuration of agent:test"),
        (
            "tests.support.controllable_channel:manifest",
            {},
            78,
            "misconfigured",
            "tests.support.controllable_channel:manifest is Manifest, not AgentManifest",
        ),
    ],
    ids=["run returns", "run fails", "wrong configuration", "a channel"],
)
async def test_an_agent_that_cannot_be_there_ends_with_its_cause(
    run_dir: Path, manifest: str, config: dict[str, Any], code: int, cause: str, text: str
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(manifest, key=KEY, config=config)
        assert await rig.code() == code
        assert rig.said[0][0] == cause
        assert rig.said[0][1].startswith(text)
        assert not rig.supervisor.of(control.WorkerReady)


def manifest_for(agent: str, *extra: str) -> AgentManifest:
    return AgentManifest("kind", "Kind", AgentManifest, agent, extra=extra)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (manifest_for("not_there:Agent", "some-sdk"), "agent kind kind needs some-sdk"),
        (manifest_for("workers.not_there:Agent"), "--force-reinstall trunkline"),
        (manifest_for("workers.errors:Transient"), "has no method `turn`"),
    ],
)
def test_what_cannot_be_imported_names_its_cure(manifest: AgentManifest, words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        agent_class(manifest)


def test_a_missing_module_of_an_agents_package_raises_its_own_error() -> None:
    with pytest.raises(ModuleNotFoundError):
        agent_class(manifest_for("not_there:Agent"))


async def test_an_agent_accepts_no_calls_of_accounts(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        await up(rig)
        error = await rig.gateway.error("send", {"to": "x", "text": "y", "key": "k"})
        assert error["message"] == "agent:test takes turns, and no calls"


async def test_its_beats_count_turns_and_its_status_shows_what_a_person_must_mend(
    run_dir: Path,
) -> None:
    async with worker_rig(run_dir) as rig:
        agent = await up(rig, beat=0.02)
        supervisor, received = rig.supervisor, follow(rig.gateway)
        rig.gateway.send(begin("hang"))
        await supervisor.until(lambda: supervisor.status().get("activeRuns") == 1)
        rig.gateway.send(begin("raise login", "second"))
        await supervisor.until(lambda: supervisor.status().get("lastError") == "wrong key")
        agent.go.set()
        await supervisor.until(lambda: supervisor.status().get("activeRuns") == 0)
        assert supervisor.status()["lastError"] is None
        assert supervisor.status()["busy"] is False
        assert {"lastInboundAt", "lastOutboundAt", "lastEventAt"} <= set(supervisor.status())
        beat = supervisor.of(control.Beat)[-1]
        assert (beat.messages_in, beat.messages_out) == (2, 2)
        assert received.outcome("second") is not None


async def test_its_status_shows_the_second_failure_in_a_row_that_may_pass(run_dir: Path) -> None:
    """An endpoint that is gone fails each turn like a network that fails for a moment."""
    async with worker_rig(run_dir) as rig:
        await up(rig)
        supervisor, received = rig.supervisor, follow(rig.gateway)
        for run in ("first", "second"):
            assert not supervisor.status().get("lastError")
            rig.gateway.send(begin("raise transient", run))
            await rig.gateway.until(partial(received.outcome, run))
        await supervisor.until(lambda: bool(supervisor.status().get("lastError")))
        rig.gateway.send(begin("hello", "third"))
        await supervisor.until(lambda: not supervisor.status().get("lastError"))


async def test_it_stops_once_what_has_ended_is_acknowledged(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        agent = await up(rig)
        received = follow(rig.gateway)
        rig.gateway.send(begin("hang"))
        rig.gateway.send(begin("count 1", "done"))
        await rig.gateway.until(lambda: received.outcome("done"))
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: agent.cancelled == ["run-1"])
        assert rig.task is not None
        assert not rig.task.done()
        rig.gateway.send(data.TurnAck("done", 2))
        assert await rig.code() == 0
        assert received.outcome() is None, "what becomes of it, the gateway decides"


async def test_a_drain_finishes_the_turns_that_run(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        agent = await up(rig)
        received = follow(rig.gateway)
        rig.gateway.send(begin("hang"))
        await rig.gateway.until(received.taken)
        rig.supervisor.send_raw(control.encode([control.Drain()]))
        agent.go.set()
        await rig.gateway.until(received.outcome)
        assert not rig.supervisor.of(control.Drained)
        rig.gateway.send(data.TurnAck("run-1", 2))
        await rig.supervisor.until(lambda: rig.supervisor.of(control.Drained))
