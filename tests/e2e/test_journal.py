"""Accounts with a journal in the real daemon: kills of the gateway lose and repeat nothing."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.frames.websocket import Event
from ipc.websocket.reconnecting import GAP, Subscription
from tests.support.daemon import Daemon
from tests.support.restarts import kill_gateway
from tests.support.until import until

CONFIG: dict[str, Any] = {
    "agents": {"default": "echo"},
    "queue": {"mode": "followup", "cap": 1000},
    "channels": {"local": {"journal": "on", "accounts": {"a": {}}}},
}
KILLS = 5
WITHOUT: dict[str, Any] = {"channels": {"local": {"accounts": {"a": {}}}}}


class Person:
    """Says numbered lines on the account's socket, and hears what is said to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.said: list[str] = []
        self.heard: list[str] = []

    async def talk(self, until_set: asyncio.Event) -> None:
        """Say something every 20 ms: what is answered in one chat is sent one after the other."""
        reader, writer = await asyncio.open_unix_connection(self._path)
        hearing = asyncio.create_task(self._hear(reader))
        try:
            while not until_set.is_set():
                self.said.append(f"n{len(self.said)}")
                writer.write(self.said[-1].encode() + b"\n")
                await writer.drain()
                await asyncio.sleep(0.02)
            await until(lambda: len(self.heard) >= len(self.said), 60)
            await asyncio.sleep(0.2)  # what comes twice comes now
        finally:
            hearing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await hearing
            writer.close()
            await writer.wait_closed()

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        async for line in reader:
            self.heard.append(line.decode().strip().rpartition("echo: ")[2])


@pytest.mark.e2e
async def test_a_killed_gateway_loses_and_repeats_nothing(tmp_path: Path) -> None:
    events: list[str] = []
    gaps: list[Any] = []

    def on_event(event: Event) -> None:
        if event.event in (GAP, "channel.gap"):
            gaps.append(event)
        elif event.event == "channel.message":
            assert isinstance(event.payload, msgspec.Raw)
            message = msgspec.json.decode(event.payload)
            if message["direction"] == "in":
                events.append(message["message"]["text"])

    async with Daemon(tmp_path, CONFIG) as daemon:
        await daemon.wait_phase("local:a", "running")
        wanted = Subscription(accounts=["local:a"], events=["channel.message"])
        enough = asyncio.Event()
        person = Person(daemon.run_dir / "local-a.sock")
        async with daemon.reconnecting(on_event=on_event, subscribe=wanted):
            talking = asyncio.create_task(person.talk(enough))
            for _ in range(KILLS):
                await kill_gateway(daemon)
                before = len(events)  # not its sessions: one may be so young that it goes on
                await until(lambda: len(events) > before, 20)  # noqa: B023
            enough.set()
            await talking
            await until(lambda: len(events) >= len(person.said), 20)
        assert gaps == []
        assert events == person.said
        assert sorted(person.heard) == sorted(person.said)
    with sqlite3.connect(tmp_path / "state" / "journal.db") as journal:
        assert journal.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        unsent = "SELECT count(*) FROM outgoing WHERE state <> 'sent'"
        assert journal.execute(unsent).fetchone() == (0,)
        (ids,) = journal.execute("SELECT sum(count) FROM ids").fetchone()
        assert ids == len(person.said)
    journal.close()


@pytest.mark.e2e
async def test_a_journal_is_switched_on_without_a_restart_of_anything(tmp_path: Path) -> None:
    async with Daemon(tmp_path, WITHOUT) as daemon:
        before = await daemon.wait_phase("local:a", "running")
        gateway = (await daemon.status())["gateway"]["pid"]
        assert before["journal"] == "off"
        assert not (tmp_path / "state" / "journal.db").exists()
        daemon.write(CONFIG)
        await daemon.call("config.reload")
        after = await daemon.wait(lambda status: _row(status)["journal"] == "on")
        assert _row(after)["pid"] == before["pid"]
        assert after["gateway"]["pid"] == gateway
        await until(lambda: (tmp_path / "state" / "journal.db").exists(), 20)


def _row(status: dict[str, Any]) -> dict[str, Any]:
    return dict(status["accounts"]["local:a"])
