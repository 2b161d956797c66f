"""Verbs on accounts: what each outcome prints, and how the command exits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.exits import ExitCode
from tests.support.commandline import ended, started, trunkline
from tests.support.fakeserver import (
    Refusal,
    account,
    fake_gateway,
    fake_supervisor,
    status,
)


def results(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"results": list(rows)}


def started_row(key: str, **more: Any) -> dict[str, Any]:
    return {"account": key, "ok": True, "outcome": "handed-off", "persisted": True} | more


async def test_start_says_that_it_starts(state: Path) -> None:
    async with fake_supervisor(state, channels__start=results(started_row("irc:libera"))) as fake:
        result = await trunkline(state, "channels", "start", "irc:libera", "irc:libera")
    assert (result.code, result.out) == (0, "irc:libera  starting\n")
    assert ("channels.start", {"accounts": ["irc:libera"]}) in fake.asked


@pytest.mark.parametrize(
    ("drained", "words"), [(True, "drained and stopped"), (False, "stopped before it was drained")]
)
async def test_drain_says_whether_all_was_done(state: Path, drained: bool, words: str) -> None:
    row = {"account": "irc:a", "ok": True, "outcome": "stopped", "drained": drained}
    async with fake_supervisor(state, channels__drain=results(row)) as fake:
        result = await trunkline(state, "channels", "drain", "irc:a", "--timeout", "2.5")
    assert (result.code, result.out) == (0, f"irc:a  {words}\n")
    assert ("channels.drain", {"accounts": ["irc:a"], "timeoutMs": 2500}) in fake.asked


async def test_one_that_cannot_start_fails_the_command_and_not_the_others(state: Path) -> None:
    bad = {"account": "irc:oftc", "ok": False, "outcome": "skipped", "error": "disabled"}
    rows = results(started_row("irc:libera"), bad)
    async with fake_supervisor(state, channels__start=rows):
        result = await trunkline(state, "channels", "start", "irc")
    assert (result.code, result.out) == (1, "irc:libera  starting\n")
    look = "`trunkline channels describe irc:oftc` shows why, and what happens next"
    assert result.err == f"trunkline: irc:oftc: disabled; {look}\n"


async def test_a_stop_that_could_not_be_remembered_is_an_error(state: Path) -> None:
    row = {"account": "irc:a", "ok": True, "outcome": "stopped", "persisted": False, "error": "ro"}
    async with fake_supervisor(state, channels__stop=results(row)):
        result = await trunkline(state, "channels", "stop", "irc:a")
    assert (result.code, result.out) == (1, "irc:a  stopped\n")
    assert result.err == "trunkline: irc:a: ro; `trunkline doctor` finds out why\n"


async def test_a_stop_of_one_that_would_not_run_anyway_says_so(state: Path) -> None:
    row = {"account": "irc:a", "ok": True, "outcome": "stopped", "note": "it is disabled anyway"}
    async with fake_supervisor(state, channels__stop=results(row)):
        result = await trunkline(state, "channels", "stop", "irc:a")
    assert (result.code, result.out) == (0, "irc:a  stopped (it is disabled anyway)\n")


async def test_a_stop_that_takes_too_long_is_a_timeout(state: Path) -> None:
    row = {"account": "irc:a", "ok": False, "outcome": "stopped", "stopped": False}
    async with fake_supervisor(state, channels__stop=results(row)):
        result = await trunkline(state, "channels", "stop", "irc:a")
    result.complains(ExitCode.TIMEOUT, "irc:a: still stopping", "channels describe irc:a")


async def test_start_with_wait_returns_when_it_runs(state: Path) -> None:
    rows = status(account("irc:libera", phase="starting"))
    answer = results(started_row("irc:libera"))
    async with (
        fake_supervisor(state, supervisor__status=rows, channels__start=answer) as fake,
        started(state, "channels", "start", "irc:libera", "--wait") as process,
    ):
        await fake.asked_for("supervisor.status")
        await fake.tell("channel.status", account("irc:libera"))
        result = await ended(process)
    assert (result.code, result.out) == (0, "irc:libera  running\n")


async def test_restart_with_wait_wants_another_process(state: Path) -> None:
    old = account("irc:libera", incarnation=3)
    answer = results(started_row("irc:libera", incarnation=3))
    async with (
        fake_supervisor(state, supervisor__status=status(old), channels__restart=answer) as fake,
        started(state, "channels", "restart", "irc:libera", "--wait") as process,
    ):
        await fake.asked_for("supervisor.status")
        await fake.tell("channel.status", old)  # still the one before: does not count
        await fake.tell("channel.status", old | {"phase": "stopping"})
        await fake.tell("channel.status", old | {"incarnation": 4})
        result = await ended(process)
    assert (result.code, result.out) == (0, "irc:libera  running\n")


async def test_restart_with_wait_is_not_content_with_the_old_process(state: Path) -> None:
    old = status(account("irc:libera", incarnation=3))
    answer = results(started_row("irc:libera", incarnation=3))
    async with fake_supervisor(state, supervisor__status=old, channels__restart=answer):
        args = ("channels", "restart", "irc:libera", "--wait", "--timeout", "0.2")
        (await trunkline(state, *args)).complains(ExitCode.TIMEOUT, "irc:libera")


async def test_nor_is_it_through_a_gateway(state: Path) -> None:
    snapshot = {"accountId": "libera", "phase": "running", "incarnation": 3}
    methods: dict[str, Any] = {
        "channels__status": {"channelAccounts": {"irc": [snapshot]}},
        "channels__restart": {"incarnation": 3, "outcome": {"status": "handed-off"}},
    }
    async with fake_gateway(**methods) as fake:
        where = ("--url", fake.url, "--token", "secret")
        args = ("channels", "restart", "irc:libera", "--wait", *where)
        (await trunkline(state, *args, "--timeout", "0.2")).complains(
            ExitCode.TIMEOUT, "irc:libera"
        )
        snapshot["incarnation"] = 4
        assert (await trunkline(state, *args)).out == "irc:libera  running\n"


async def test_through_a_gateway_each_account_is_asked_for(state: Path) -> None:
    snapshots = [{"accountId": "a", "running": False}, {"accountId": "b", "running": False}]
    done = {"started": True, "outcome": {"status": "handed-off"}}
    rows = {"channelAccounts": {"irc": snapshots}}
    async with fake_gateway(channels__status=rows, channels__start=done) as fake:
        args = ("channels", "start", "irc", "--url", fake.url, "--token", "secret")
        result = await trunkline(state, *args)
    assert (result.code, result.out) == (0, "irc:a  starting\nirc:b  starting\n")
    assert ("channels.start", {"channel": "irc", "accountId": "b"}) in fake.asked


async def test_a_stop_through_a_gateway_that_could_not_be_remembered_is_an_error(
    state: Path,
) -> None:
    async with fake_gateway(channels__stop={"stopped": True, "persisted": False}) as fake:
        args = ("channels", "stop", "irc:a", "--url", fake.url, "--token", "secret")
        result = await trunkline(state, *args)
    assert (result.code, result.out) == (ExitCode.ERROR, "irc:a  stopped\n")
    said = "irc:a: done, but it could not be saved to disk; `trunkline doctor` finds out why"
    assert result.err == f"trunkline: {said}\n"


async def test_one_that_a_gateway_refuses_fails_the_command_and_not_the_others(
    state: Path,
) -> None:
    def start(params: Any) -> Any:
        if params["accountId"] == "b":
            raise Refusal("UNAVAILABLE", "irc:b is disabled")
        return {"outcome": {"status": "handed-off"}}

    async with fake_gateway(channels__start=start) as fake:
        where = ("--url", fake.url, "--token", "secret")
        both = await trunkline(state, "channels", "start", "irc:a", "irc:b", *where)
        alone = await trunkline(state, "channels", "start", "irc:b", *where)
    assert (both.code, both.out) == (ExitCode.ERROR, "irc:a  starting\n")
    look = f"`trunkline channels status irc:b --url {where[1]}` shows its state"
    assert both.err == f"trunkline: irc:b is disabled; {look}\n"
    alone.complains(ExitCode.ERROR, "irc:b is disabled")
