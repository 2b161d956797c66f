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
from tests.support.ordinary_user import obedient
from tests.support.person import talking
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


class Follower:
    """What a client is sent of what people say: the texts, the cursors, and the gaps."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.cursors: list[str] = []
        self.gaps: list[Event] = []

    def on_event(self, event: Event) -> None:
        """Record one event."""
        if event.event in (GAP, "channel.gap"):
            self.gaps.append(event)
        elif event.event == "channel.message":
            assert isinstance(event.payload, msgspec.Raw)
            message = msgspec.json.decode(event.payload)
            if message["direction"] == "in":
                self.texts.append(message["message"]["text"])
                self.cursors.append(message["cursor"])

    async def heard(self, *texts: str) -> None:
        """Wait until as many messages have come; they must be these, and without a gap."""
        await until(lambda: len(self.texts) >= len(texts), 20)
        assert (self.texts, self.gaps) == ([*texts], [])


@pytest.mark.e2e
async def test_a_killed_gateway_loses_and_repeats_nothing(tmp_path: Path) -> None:
    follower = Follower()
    events = follower.texts
    async with Daemon(tmp_path, CONFIG) as daemon:
        await daemon.wait_phase("local:a", "running")
        wanted = Subscription(accounts=["local:a"], events=["channel.message"])
        enough = asyncio.Event()
        person = Person(daemon.run_dir / "local-a.sock")
        async with daemon.reconnecting(on_event=follower.on_event, subscribe=wanted):
            talk = asyncio.create_task(person.talk(enough))
            for _ in range(KILLS):
                await kill_gateway(daemon)
                before = len(events)  # not its sessions: one may be so young that it goes on
                await until(lambda: len(events) > before, 20)  # noqa: B023
            enough.set()
            await talk
            await until(lambda: len(events) >= len(person.said), 20)
        assert follower.gaps == []
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
async def test_what_clients_missed_comes_when_the_journal_can_be_opened_and_is_no_gap_before(
    tmp_path: Path,
) -> None:
    daemon = Daemon(tmp_path, CONFIG)
    daemon.prefix = obedient()
    file = tmp_path / "state" / "journal.db"
    ask: dict[str, Any] = {"accounts": ["local:a"], "events": ["channel.message"]}
    wanted, stayed, late = Subscription(**ask), Follower(), Follower()
    async with daemon:
        await daemon.wait_phase("local:a", "running")
        async with (
            daemon.reconnecting(on_event=stayed.on_event, subscribe=wanted),
            talking(daemon, "a") as person,
        ):
            person.says("first")
            await stayed.heard("first")
            seen = {"local:a": stayed.cursors[0]}
            person.says("second")
            await stayed.heard("first", "second")
            file.chmod(0o400)
            await kill_gateway(daemon)
            await daemon.wait(lambda now: "cannot be opened" in str(_row(now)["health"]))
            person.says("third")  # its worker keeps it
            client = await daemon.client(on_event=late.on_event, caps=())
            answer = await client.call("events.subscribe", ask | {"cursors": seen})
            assert (answer["gaps"], answer["replayed"], answer["cursors"]) == ([], 0, {})
            file.chmod(0o600)
            await late.heard("second", "third")
            await stayed.heard("first", "second", "third")
            person.says("fourth")
            await late.heard("second", "third", "fourth")
            await stayed.heard("first", "second", "third", "fourth")
            await client.close()


@pytest.mark.e2e
async def test_a_copy_that_goes_on_on_another_host_is_answered_and_told_once(
    tmp_path: Path,
) -> None:
    """Incarnations are counted by each host: those to come must be larger than those in it."""
    copy, old, new = tmp_path / "copy.db", tmp_path / "old", tmp_path / "new"
    (old / "state").mkdir(parents=True)
    (old / "state" / "boot").write_text("50\n")
    new.mkdir()
    async with Daemon(old, CONFIG) as daemon:
        await daemon.wait_phase("local:a", "running")
        async with talking(daemon, "a") as person:
            await person.is_answered("one")
        code, _, said = await daemon.command("backup", "--to", str(copy))
        assert (code, said) == (0, "")
    daemon = Daemon(new, CONFIG)
    code, _, said = await daemon.command("restore", str(copy))
    assert (code, said) == (0, "")
    ask: dict[str, Any] = {"accounts": ["local:a"], "events": ["channel.message"]}
    follower, late = Follower(), Follower()
    async with daemon:
        await daemon.wait_phase("local:a", "running")
        async with talking(daemon, "a") as person:
            client = await daemon.client(on_event=follower.on_event, caps=())
            await client.call("events.subscribe", ask)
            await person.is_answered("two")
            await follower.heard("two")
            await client.close()
            await kill_gateway(daemon)  # what it had in memory is gone
            client = await daemon.client(on_event=late.on_event, caps=())
            asked = ask | {"cursors": {"local:a": follower.cursors[0]}}
            assert (await client.call("events.subscribe", asked))["gaps"] == []
            await person.is_answered("three")
            await late.heard("three")
            await client.close()


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
