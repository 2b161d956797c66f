"""OpenClaw's own client library as a device: paired, remembered, kept over a restart."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.openclaw import Openclaw
from tests.support.daemon import TOKEN, Daemon
from tests.support.until import PATIENCE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

PROGRAM = Path(__file__).parent / "client.mjs"


class Library:
    """The program that has the library. ``said`` is everything that it told, in order."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        self.said: list[dict[str, Any]] = []

    def order(self, **order: Any) -> None:
        self._stdin.write(json.dumps(order).encode() + b"\n")

    async def expect(self, key: str) -> Any:
        """Return the next thing of that kind; what comes before it is only kept in ``said``."""
        async with asyncio.timeout(PATIENCE):
            while True:
                line = await self._stdout.readline()
                assert line, f"the program ended; it said {self.said}"
                self.said.append(json.loads(line))
                if key in self.said[-1]:
                    return self.said[-1][key]

    async def call(self, method: str, **params: Any) -> Any:
        self.order(call=method, params=params)
        return await self.expect("answer")

    def numbers(self) -> list[list[int]]:
        """Return the ``seq`` of the events of each connection."""
        found: list[list[int]] = []
        for seq in [said["seq"] for said in self.said if "seq" in said]:
            if seq == 1:  # each connection counts from 1
                found.append([])
            found[-1].append(seq)
        return found


@contextlib.asynccontextmanager
async def library(openclaw: Openclaw) -> AsyncIterator[Library]:
    process = await asyncio.create_subprocess_exec(
        "node",
        str(PROGRAM),
        str(openclaw.folder),
        openclaw.url,
        env=openclaw.env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Library(process)
    finally:
        process.kill()
        await process.communicate()


async def test_a_device_is_paired_remembered_and_kept_over_a_restart(
    own_openclaw: Openclaw, own_daemon: Daemon
) -> None:
    async with library(own_openclaw) as program:
        program.order(start={"token": TOKEN})
        first = await program.expect("hello")
        token = first["auth"]["deviceToken"]
        assert (first["protocol"], len(token)) == (4, 43)
        assert any("kept" in said for said in program.said)
        program.order(stop=True)
        await program.expect("stopped")

        program.order(start={})  # only the device's token now
        again = await program.expect("hello")
        assert again["auth"]["deviceToken"] == token
        assert (await program.call("health"))["ok"] is True
        for number in range(5):
            await program.call("system-event", text=f"Node: test {number}", instanceId="test")
        await program.expect("event")

        await own_daemon.call("gateway.restart")
        closed = await program.expect("closed")
        assert (closed["code"], closed["reason"]) == (1012, "service restart")
        after = await program.expect("hello")
        assert after["auth"]["deviceToken"] == token
        assert (await program.call("health"))["ok"] is True
        await program.call("system-event", text="Node: test after", instanceId="test")
        while program.said[-1].get("event") != "presence":
            await program.expect("event")

    for key in ("gap", "refused", "failed", "cleared"):
        assert not [said for said in program.said if key in said]
    connections = program.numbers()
    assert len(connections) == 3
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in connections)
    assert all(len(numbers) >= 2 for numbers in connections[1:])


async def test_a_wrong_token_stops_the_library_for_good(openclaw: Openclaw) -> None:
    async with library(openclaw) as program:
        program.order(start={"token": "wrong"})
        assert "gateway token mismatch" in await program.expect("failed")
        assert (await program.expect("closed"))["code"] == 1008
