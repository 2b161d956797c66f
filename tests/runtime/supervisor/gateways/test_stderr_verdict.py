"""An exit is classified with the last stderr lines, all of them read before."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from runtime.supervisor.gateways.stderr import StderrRing
from runtime.supervisor.gateways.stderr_verdict import ProcessWithStderr
from runtime.supervisor.lifecycle import Exit
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.processes.process import SpawnedProcess, Spec
from tests.support.gateway_context import SpawnedPuppet, gateway_context

SPEC = Spec("gateway#1", "", b"")


async def test_the_last_line_before_the_end_is_classified_with_it(tmp_path: Path) -> None:
    def classify(how: Exit, lines: list[str]) -> Exit:
        return Exit(code=how.code, text=lines[-1])

    async with gateway_context(tmp_path) as rig:
        puppet = await rig.spawn(SPEC)
        process = await ProcessWithStderr.capture(
            cast(SpawnedProcess, puppet), rig.logs, 1, StderrRing(["s3cret"]), classify
        )
        puppet.complain("bad token s3cret")
        puppet.die(Exit(code=1))
        assert await process.wait() == Exit(code=1, text="bad token ***")
        assert [line["text"] for line in rig.logs.tail(["gateway"], 5)] == ["bad token ***"]


async def test_signals_reach_the_process(tmp_path: Path) -> None:
    async with gateway_context(tmp_path) as rig:
        puppet = await rig.spawn(SPEC)
        process = await ProcessWithStderr.capture(
            cast(SpawnedProcess, puppet), rig.logs, 1, StderrRing(), lambda how, lines: how
        )
        process.terminate()
        process.signal(10)
        process.kill()
        assert puppet.signals == ["terminate", 10, "kill"]
        assert process.pid == puppet.pid


async def test_one_that_cannot_be_captured_is_killed(tmp_path: Path) -> None:
    class Full(LogStore):
        def capture(self, *what: object, **options: object) -> object:  # type: ignore[override]
            raise OSError(24, "Too many open files")

    async with gateway_context(tmp_path) as rig:
        puppet: SpawnedPuppet = await rig.spawn(SPEC)
        with pytest.raises(OSError, match="Too many"):
            await ProcessWithStderr.capture(
                cast(SpawnedProcess, puppet),
                Full(tmp_path / "full", rig.logs.config),
                1,
                StderrRing(),
                lambda how, lines: how,
            )
        assert puppet.signals == ["kill"]
