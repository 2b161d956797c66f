"""The reconnecting client with the real daemon: nothing is missed, nothing comes twice."""

from __future__ import annotations

import asyncio
import contextlib
import random
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.errors import RemoteError
from ipc.frames.websocket import Event
from ipc.websocket.reconnecting import GAP, LOST, OPENED, ReconnectingClient, Subscription
from tests.support.daemon import Daemon
from tests.support.gateway_rig import TOKEN, gateway_rig
from tests.support.restarts import kill_gateway, restart_gateway
from tests.support.until import until

CONFIG: dict[str, Any] = {"channels": {"local": {"accounts": {"a": {}}}}}
KILLS, MANY_KILLS = 2, 120  # for each kind of account


async def talk(daemon: Daemon, said: list[str]) -> None:
    """Say something every 10 ms, as a person, until cancelled."""
    path = daemon.run_dir / "local-a.sock"
    _, writer = await asyncio.open_unix_connection(path)
    try:
        while True:
            said.append(f"n{len(said)}")
            writer.write(said[-1].encode() + b"\n")
            await writer.drain()
            await asyncio.sleep(0.01)
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.e2e
async def test_over_restarts_and_kills_every_message_comes_once_and_in_order(
    tmp_path: Path,
) -> None:
    heard: list[str] = []
    own: list[str] = []

    def on_event(event: Event) -> None:
        if event.event == "channel.message":
            assert isinstance(event.payload, msgspec.Raw)
            message = msgspec.json.decode(event.payload)
            if message["direction"] == "in":
                heard.append(message["message"]["text"])
        elif event.event.startswith("client.") or event.event == "channel.gap":
            own.append(event.event)

    async with Daemon(tmp_path, CONFIG) as daemon:
        await daemon.wait_phase("local:a", "running")
        wanted = Subscription(accounts=["local:a"], events=["channel.message"])
        client = daemon.reconnecting(on_event=on_event, subscribe=wanted)
        async with client:
            said: list[str] = []
            talking = asyncio.create_task(talk(daemon, said))
            await restart_gateway(daemon)
            await until(lambda: client.sessions == 2, 20)
            for _ in range(KILLS):
                await kill_gateway(daemon)
                before = len(heard)  # not its sessions: one may be so young that it goes on
                await until(lambda: len(heard) > before, 20)  # noqa: B023
                assert (await client.call("health"))["ok"]
            talking.cancel()
            await asyncio.wait({talking})
            await until(lambda: len(heard) >= len(said), 20)
    assert heard == said
    sessions = own.count(OPENED)
    assert own == [OPENED, *[LOST, OPENED] * (sessions - 1)]
    assert 2 <= sessions <= 2 + KILLS


@pytest.mark.e2e
@pytest.mark.parametrize("journal", ["on", "off"])
@pytest.mark.parametrize(
    "kills",
    [KILLS, pytest.param(MANY_KILLS, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
async def test_a_client_that_has_just_subscribed_misses_nothing_of_a_killed_gateway(
    tmp_path: Path, kills: int, journal: str
) -> None:
    """It has had no event yet; the gateway dies before, while or after it gets the first."""
    chance = random.Random(kills)
    config = {"channels": {"local": {"journal": journal, "accounts": {"a": {}}}}}
    async with Daemon(tmp_path, config) as daemon:
        await daemon.wait_phase("local:a", "running")
        _, writer = await asyncio.open_unix_connection(daemon.run_dir / "local-a.sock")
        for kill in range(kills):
            heard: list[str] = []
            client = daemon.reconnecting(
                on_event=partial(_note, heard), subscribe=Subscription(accounts=["local:a"])
            )
            async with client:
                killing = asyncio.create_task(_kill_after(daemon, chance.uniform(0, 0.02)))
                said = [f"{kill} {number}" for number in range(3)]
                for line in said:
                    writer.write(line.encode() + b"\n")
                    await asyncio.sleep(chance.uniform(0, 0.02))
                await killing
                with contextlib.suppress(TimeoutError):
                    await until(lambda: len(heard) >= len(said), 20)  # noqa: B023
            assert heard == said, f"after {kill} kills"
        writer.close()
        await writer.wait_closed()


async def _kill_after(daemon: Daemon, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await kill_gateway(daemon)


def _note(heard: list[str], event: Event) -> None:
    """Note the text of a message from the platform, and each gap that is told."""
    assert isinstance(event.payload, msgspec.Raw)
    if event.event == "channel.message":
        message = msgspec.json.decode(event.payload)
        if message["direction"] == "in":
            heard.append(message["message"]["text"])
    elif event.event in (GAP, "channel.gap"):
        heard.append(bytes(event.payload).decode())


async def test_the_gateway_names_the_repeatable_methods() -> None:
    async with gateway_rig() as rig, ReconnectingClient(rig.url, token=TOKEN) as client:
        named = client.hello["features"]["repeatable"]
        assert {"health", "logs.tail", "channels.stop"} <= set(named["always"])
        assert {"agent", "message.action", "send"} <= set(named["withKey"])
        assert not {"config.set", "node.invoke"} & {*named["always"], *named["withKey"]}
        plain = await rig.client()
        assert "repeatable" not in plain.hello["features"], "only for who asks"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"token": "wrong"}, "gateway token mismatch"),
        ({"token": TOKEN, "min_protocol": 5, "max_protocol": 9}, "protocol mismatch"),
    ],
)
async def test_a_refusal_of_the_gateway_ends_the_client_at_once(options: Any, words: str) -> None:
    async with gateway_rig() as rig:
        client = ReconnectingClient(rig.url, **options)
        with pytest.raises(RemoteError, match=words):
            await client.open()
        assert client.sessions == 0
        assert sum(rig.parts.hub.refused.values()) == 1
