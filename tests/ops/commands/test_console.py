"""The command ``open``."""

from __future__ import annotations

from pathlib import Path

from ops.exits import ExitCode
from tests.support.commandline import trunkline
from tests.support.fakeserver import fake_supervisor


async def test_print_opens_nothing(state: Path) -> None:
    answer = {"url": "https://h:1/console/", "bootstrapToken": "t", "expiresAtMs": 1}
    async with fake_supervisor(state, device__bootstrap__create=answer):
        shown = await trunkline(state, "open", "--print")
    assert shown.code == ExitCode.OK
    assert shown.out.startswith("https://h:1/console/#bootstrap=t\n")
