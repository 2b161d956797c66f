"""Commands that go on until somebody ends them."""

from __future__ import annotations

from pathlib import Path

from ops.exits import ExitCode
from tests.support.commandline import interrupted, started
from tests.support.fakeserver import (
    BACKOFF,
    account,
    fake_supervisor,
    status,
)


async def test_ctrl_c_while_waiting_is_130(state: Path) -> None:
    rows = status(account("local:demo", **BACKOFF))
    async with (
        fake_supervisor(state, supervisor__status=rows) as fake,
        started(state, "wait", "local:demo") as process,
    ):
        await fake.asked_for("supervisor.status")
        result = await interrupted(process)
        assert (result.code, result.err) == (ExitCode.INTERRUPTED, "")
