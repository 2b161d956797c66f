"""The kinds in their worker, between a fake supervisor and a fake gateway on real sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ipc.frames import control, data
from tests.support.turns import Received, begin, follow
from tests.support.until import until
from tests.support.worker_rig import WorkerRig, worker_rig
from workers.agent import Final, TurnOutcome, Usage
from workers.testing.fakes.model import KEY, fake_model


async def answering(rig: WorkerRig, kind: str, config: dict[str, Any]) -> Received:
    rig.start(f"workers.agents.{kind}:manifest", key="agent:main", config=config)
    await rig.supervisor.until(lambda: rig.supervisor.of(control.WorkerReady))
    await rig.gateway.until(lambda: rig.gateway.hellos)
    return follow(rig.gateway)


async def outcome(rig: WorkerRig, received: Received, text: str, run: str, **more: Any) -> Any:
    rig.gateway.send(begin(text, run, **more))
    found = await rig.gateway.until(lambda: received.outcome(run))
    rig.gateway.send(data.TurnAck(run, received.ends(run)[0].seq))
    return found


async def test_a_model_answers_and_a_refused_key_is_a_login(run_dir: Path) -> None:
    async with fake_model(KEY) as fake, worker_rig(run_dir) as rig:
        config = {"model": "fake-1", "baseUrl": fake.base, "apiKey": KEY}
        received = await answering(rig, "openai", config)
        found = await outcome(rig, received, "!say:one two", "r1")
        usage = Usage(input=60, output=2, cache_read=40)
        assert found == TurnOutcome("final", Final("one two", usage, "stop", "fake-1"))
        fake.key = "sk-another"
        found = await outcome(rig, received, "hello", "r2")
        assert (found.state, found.kind) == ("error", "needs_login")
        assert await rig.stop() == 0


async def test_a_program_answers_and_ends_at_the_deadline(run_dir: Path, tmp_path: Path) -> None:
    script = 'read line; [ "$line" = wait ] && { echo $$ >pid; exec sleep 3600; }; echo "$line!"'
    async with worker_rig(run_dir) as rig:
        config = {"command": ["sh", "-c", script], "cwd": str(tmp_path), "killAfterSeconds": 0.1}
        received = await answering(rig, "command", config)
        found = await outcome(rig, received, "hello", "r1")
        assert found == TurnOutcome("final", Final("hello!"))
        found = await outcome(rig, received, "wait", "r2", seconds=1)
        assert found == TurnOutcome("timeout")
        pid = tmp_path / "pid"  # it is there, unless the host was too busy to start the program
        await until(
            lambda: not (pid.exists() and Path(f"/proc/{pid.read_text().strip()}").exists())
        )
        assert await rig.stop() == 0
