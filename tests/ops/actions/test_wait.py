"""Waiting for a phase: what counts, what ends it early, what a late one says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.exits import ExitCode
from tests.support.commandline import ended, line, started, trunkline
from tests.support.fakeserver import (
    BACKOFF,
    HELD,
    account,
    fake_supervisor,
    status,
)

DOWN = {"phase": "stopped", "pid": None, "readyAt": None}


async def test_waiting_ends_when_an_account_needs_a_person(state: Path) -> None:
    failed = account("irc:libera", phase="failed", pid=None, lastError="bad password")
    async with fake_supervisor(state, supervisor__status=status(failed)):
        result = await trunkline(state, "wait", "irc:libera")
    result.complains(
        ExitCode.ERROR, "bad password", "needs a person", "channels describe irc:libera"
    )


async def test_waiting_for_what_is_so_already(state: Path) -> None:
    rows = status(account("irc:libera", **HELD), account("local:demo"))
    async with fake_supervisor(state, supervisor__status=rows):
        stopped = await trunkline(state, "wait", "irc", "--for", "stopped", "--json")
        running = await trunkline(state, "wait", "local:demo")
    assert stopped.json["accounts"][0]["phase"] == "stopped"
    assert (running.code, running.out) == (0, "")


async def test_a_supervisor_that_ends_while_one_waits_is_not_running(state: Path) -> None:
    rows = status(account("irc:libera", **BACKOFF))
    async with (
        fake_supervisor(state, supervisor__status=rows) as fake,
        started(state, "wait", "irc:libera") as process,
    ):
        await fake.asked_for("supervisor.status")
        fake.people[0].transport.abort()
        result = await ended(process)
    result.complains(ExitCode.NOT_RUNNING, "ended")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (HELD | {"lastError": "exited (signal 9)"}, "stopped (held: moving house)"),
        (DOWN | {"cause": "unconfigured"}, "stopped (unconfigured)"),
        (DOWN | {"cause": "unconfigured", "todo": "no nick: complete x"}, "no nick: complete x"),
        (DOWN | {"cause": "disabled"}, "stopped (disabled)"),
        (DOWN | {"phase": "starting", "cause": "linking", "todo": "log it in"}, "log it in"),
        (DOWN | {"phase": "failed", "lastError": "bad password"}, "bad password"),
    ],
)
async def test_what_does_not_run_without_a_person_is_not_waited_for(
    state: Path, row: dict[str, Any], said: str
) -> None:
    rows = status(account("irc:libera", **row))
    async with fake_supervisor(state, supervisor__status=rows):
        result = await trunkline(state, "wait", "irc:libera", "--timeout", "60")
    result.complains(ExitCode.ERROR, said, "needs a person")


async def test_wait_announces_nothing_until_it_is_so(state: Path) -> None:
    rows = status(account("irc:a", **BACKOFF), account("irc:b", **BACKOFF))
    async with (
        fake_supervisor(state, supervisor__status=rows) as fake,
        started(state, "wait", "--all", "--json") as process,
    ):
        await fake.asked_for("supervisor.status")
        await fake.tell("channel.status", account("irc:a"))
        await fake.tell("channel.status", account("irc:b"))
        assert await line(process) == "{"
        assert (await ended(process)).code == 0


async def test_waiting_in_vain_is_a_timeout_that_says_how_it_is(state: Path) -> None:
    rows = status(account("local:demo", **BACKOFF))
    async with fake_supervisor(state, supervisor__status=rows):
        result = await trunkline(state, "wait", "local:demo", "--timeout", "0.2")
        result.complains(ExitCode.TIMEOUT, "local:demo is backoff (exited (signal 9))", "0.2 s")
