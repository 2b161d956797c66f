"""One question to a supervisor or a gateway, and how its refusal reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.exits import ExitCode
from tests.support.commandline import trunkline
from tests.support.fakeserver import (
    Refusal,
    fake_gateway,
    fake_supervisor,
)


async def test_a_refusal_of_the_supervisor_is_an_error(state: Path) -> None:
    refusal = Refusal("INVALID_REQUEST", "unknown account 'irc:x'; known: local:demo")
    async with fake_supervisor(state, channels__start=refusal):
        result = await trunkline(state, "channels", "start", "irc:x")
        result.complains(ExitCode.ERROR, "unknown account 'irc:x'")


@pytest.mark.parametrize(
    ("command", "unknown"),
    [
        ("message send --account nope:x --target a --message b", "'nope:x'"),
        ("message send --account irc:a --target a --message b", "'irc:a'"),
        ('gateway call channels.stop --params {"channel":"nope"}', "'nope'"),
    ],
)
async def test_an_unknown_account_is_named_with_those_that_are_known(
    state: Path, command: str, unknown: str
) -> None:
    refusal = Refusal("INVALID_REQUEST", "invalid channel")
    rows = {"channelAccounts": {"irc": [{"accountId": "libera", "phase": "running"}]}}
    methods: dict[str, Any] = {"send": refusal, "channels__stop": refusal, "channels__status": rows}
    async with fake_gateway("secret", **methods) as fake:
        where = ("--url", fake.url, "--token", "secret")
        result = await trunkline(state, *command.split(), *where)
        result.complains(ExitCode.ERROR, f"unknown account or channel {unknown}; known: irc:libera")
        assert "invalid channel" not in result.err  # the same once more
        fits = 'gateway call channels.stop --params {"channel":"irc"}'
        result = await trunkline(state, *fits.split(), *where)
        result.complains(ExitCode.ERROR, "invalid channel")
        assert "unknown" not in result.err


async def test_an_unknown_method_is_refused_with_the_nearest_one(state: Path) -> None:
    async with fake_gateway(channels__status={}) as fake:
        where = ("--url", fake.url, "--token", "secret")
        near = await trunkline(state, "gateway", "call", "channels.statu", *where)
        far = await trunkline(state, "gateway", "call", "x" * 5000, *where)
    said = "channels.statu (did you mean channels.status?); see `trunkline gateway call --help`"
    near.complains(ExitCode.ERROR, f"unknown method: {said}")
    far.complains(ExitCode.ERROR, "unknown method: xxx", "gateway call --help")
    assert "did you mean" not in far.err
