"""``up`` and ``down`` with the real daemon."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.exits import ExitCode
from tests.support.commandline import ended, line, started, trunkline
from workers.testing.ports import free_port

pytestmark = pytest.mark.e2e


async def test_up_in_the_foreground_says_where_and_what_next(state: Path) -> None:
    port = str(free_port())
    async with started(state, "up", "--port", port) as process:
        said = [await line(process)]
        while "Ctrl-C" not in said[-1]:
            said.append(await line(process))
        text = "\n".join(said)
        for word in (f"ws://127.0.0.1:{port}", "trunkline.json5", "chat local:demo", "watch"):
            assert word in text
        process.send_signal(2)
        result = await ended(process)
    assert (result.code, result.err) == (ExitCode.OK, "")
    assert oct((state / "trunkline.json5").stat().st_mode & 0o777) == "0o600"


async def test_a_gateway_that_could_not_start_is_refused_before_anything_runs(state: Path) -> None:
    configuration = state / "trunkline.json5"
    port = str(free_port())
    configuration.write_text(
        f'{{gateway: {{port: {port}, auth: {{token: {{source: "env", id: "NOT_SET"}}}}}},'
        "channels: {local: {accounts: {demo: {}}}}}"
    )
    configuration.chmod(0o600)
    for arguments in (["up"], ["up", "--detach"]):
        result = await trunkline(state, *arguments)
        assert (result.code, result.out) == (ExitCode.CONFIGURATION, "")
        assert result.err == (
            f"trunkline: {configuration}: gateway.auth.token: cannot be resolved: "
            "the environment variable NOT_SET is not set\n"
        )
    assert (await trunkline(state, "status")).code == ExitCode.NOT_RUNNING
    configuration.write_text(configuration.read_text().replace("NOT_SET", "HOME"))
    try:
        assert (await trunkline(state, "up", "--detach")).code == ExitCode.OK
        assert (await trunkline(state, "gateway", "health")).code == ExitCode.OK
    finally:
        await trunkline(state, "down")


def modes(directory: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mode & 0o777 for path in directory.rglob("*")}


async def test_nothing_that_is_made_is_for_others(state: Path) -> None:
    try:
        assert (
            await trunkline(state, "up", "--detach", "--port", str(free_port()))
        ).code == ExitCode.OK
        await trunkline(state, "channels", "restart", "local:demo", "--wait")
        made = modes(state)
        assert {path.name for path in made} >= {"accounts", "history.jsonl", "control.ipc", "logs"}
        assert {path: oct(mode) for path, mode in made.items() if mode & 0o077} == {
            state / "run": "0o777"  # a link, which has no mode
        }
        (state / "trunkline.json5").chmod(0o644)
        told = await trunkline(state, "config", "reload")
        assert "holds secrets and others may read it" in told.out
        assert "others may read it" in (await trunkline(state, "status")).out
        assert "others may read it" in (state / "logs" / "supervisor.log").read_text()
    finally:
        await trunkline(state, "down")
