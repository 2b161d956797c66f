"""What operators do with the gateway: a real lifecycle, a gateway and sessions that are played."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from msgspec.structs import replace

from ipc.errors import RemoteError
from ipc.frames.words import Phase
from runtime.supervisor.api.table import dispatch
from runtime.supervisor.gateways.port import PortTaken
from runtime.supervisor.parts import Parts
from runtime.supervisor.status import status
from tests.support.managed_gateway import GatewayRig, gateway_rig
from tests.support.parts_rig import PartsRig

pytestmark = pytest.mark.virtual_time


class GatewayApiRig:
    """Parts with a played gateway."""

    def __init__(self, parts: Parts, gateway: GatewayRig) -> None:
        self.parts = parts
        self.gateway = gateway

    async def ask(self, name: str, **params: Any) -> Any:
        return await dispatch(self.parts, name, params, remote=False)

    async def ask_until_up(self, name: str, **params: Any) -> Any:
        """Ask, and have the process that is spawned for it open its session."""
        born = len(self.gateway.kind.puppets)
        asking = asyncio.create_task(self.ask(name, **params))
        while len(self.gateway.kind.puppets) == born:  # noqa: ASYNC110 - time must pass meanwhile
            await asyncio.sleep(0.1)
        self.gateway.link.open()
        return await asking


@asynccontextmanager
async def api_rig(directory: Path, **config: Any) -> AsyncIterator[GatewayApiRig]:
    rig = PartsRig(directory, config=config)
    async with gateway_rig() as gateway:
        yield GatewayApiRig(replace(rig.parts, gateway=gateway.gateway), gateway)
    rig.close()


async def test_the_gateway_is_started_restarted_and_stopped(tmp_path: Path) -> None:
    async with api_rig(tmp_path) as rig:
        answer = await rig.ask_until_up("gateway.start")
        assert (answer["ok"], answer["gateway"]["phase"]) == (True, "running")
        answer = await rig.ask_until_up("gateway.restart")
        assert (answer["ok"], answer["outcome"]) == (True, "restarted")
        answer = await rig.ask("gateway.stop")
        assert (answer["ok"], answer["gateway"]["phase"]) == (True, "stopped")
        assert [puppet.alive for puppet in rig.gateway.kind.puppets] == [False, False]


async def test_one_that_does_not_come_up_or_go_down_is_said_to(tmp_path: Path) -> None:
    async with api_rig(tmp_path) as rig:
        assert not (await rig.ask("gateway.start"))["ok"]
        rig.gateway.kind.deaf = True
        assert not (await rig.ask("gateway.restart"))["ok"]


async def test_force_takes_the_port_first(tmp_path: Path) -> None:
    async with api_rig(tmp_path) as rig:
        await rig.ask_until_up("gateway.start", force=True)
        assert rig.gateway.kind.did[0] == "open by force"


@pytest.mark.parametrize("name", ["gateway.start", "gateway.restart"])
async def test_a_port_in_use_is_reported(tmp_path: Path, name: str) -> None:
    async with api_rig(tmp_path) as rig:
        rig.gateway.kind.taken = PortTaken("127.0.0.1", 18789, [])
        with pytest.raises(RemoteError, match="UNAVAILABLE: port 18789"):
            await rig.ask(name)


@pytest.mark.parametrize("name", ["gateway.start", "gateway.restart"])
async def test_no_gateway_is_started_at_the_end(tmp_path: Path, name: str) -> None:
    async with api_rig(tmp_path) as rig:
        rig.parts.shutdown.request("the test")
        with pytest.raises(RemoteError, match="UNAVAILABLE: the supervisor is stopping"):
            await rig.ask(name)
        assert rig.gateway.kind.puppets == []


async def test_a_restart_that_is_put_off_says_for_how_long(tmp_path: Path) -> None:
    async with api_rig(tmp_path) as rig:
        await rig.gateway.up()
        await rig.ask_until_up("gateway.restart")
        row = await rig.ask_until_up("gateway.restart")
        assert (row["ok"], row["outcome"], row["retryAfterMs"]) == (True, "deferred", 2500)


async def test_a_restart_that_is_requested_comes_after_its_answer(tmp_path: Path) -> None:
    async with api_rig(tmp_path) as rig:
        await rig.gateway.up()
        answer = await rig.ask("gateway.restart.request", delayMs=5000)
        assert answer["restart"] == {"ok": True, "delayMs": 5000, "reason": "requested"}
        await asyncio.sleep(4.9)
        assert rig.gateway.phase is Phase.RUNNING
        await asyncio.sleep(0.2)
        assert len(rig.gateway.kind.puppets) == 2


@pytest.mark.parametrize("why", ["the supervisor is stopping", "port 18789"])
async def test_a_restart_that_cannot_be_carried_out_when_it_is_due_is_logged(
    tmp_path: Path, why: str
) -> None:
    async with api_rig(tmp_path) as rig:
        if why == "port 18789":
            rig.gateway.kind.taken = PortTaken("127.0.0.1", 18789, [])
        await rig.ask("gateway.restart.request", delayMs=5000)
        if why == "the supervisor is stopping":
            rig.parts.shutdown.request("told to")
        with structlog.testing.capture_logs() as logs:
            await asyncio.sleep(5.1)
        assert [why in each["reason"] for each in logs] == [True]
        assert rig.gateway.kind.puppets == []


async def test_a_foreign_gateway_may_be_shut_down_first(tmp_path: Path) -> None:
    async with api_rig(tmp_path) as rig:
        await rig.gateway.up()
        assert "left out" in (await rig.ask("gateway.stop", shutdown=True))["shutdown"]
        rig.gateway.kind.name = "command"
        await rig.gateway.up()
        assert (await rig.ask("gateway.stop", shutdown=True))["shutdown"] == "asked for"
        assert rig.gateway.kind.links[-1].told[0][0] == "shutdown"


async def test_warnings_of_the_gateway_are_shown_as_long_as_that_process_lives(
    tmp_path: Path,
) -> None:
    async with api_rig(tmp_path) as rig:
        await rig.ask_until_up("gateway.start")
        await rig.ask("gateway.warnings", warnings=["no files left"])
        assert "no files left" in _warnings(rig)
        await rig.ask("gateway.warnings", warnings=[])
        assert "no files left" not in _warnings(rig)
        await rig.ask("gateway.warnings", warnings=["no files left"])
        await rig.ask_until_up("gateway.restart")
        assert "no files left" not in _warnings(rig)


def _warnings(rig: GatewayApiRig) -> list[str]:
    return status(rig.parts).supervisor.warnings


@pytest.mark.parametrize(
    ("public", "base", "expected"),
    [
        ("https://chat.example", "", "https://chat.example/"),
        ("wss://chat.example:8443/", "/console", "https://chat.example:8443/console/"),
        (None, "/console/", None),
    ],
)
async def test_a_one_time_token_comes_with_the_public_address_of_the_console(
    tmp_path: Path, public: str | None, base: str, expected: str | None
) -> None:
    config: dict[str, Any] = {"auth": {"token": "t"}, "controlUi": {"basePath": base}}
    if public is not None:
        config["publicUrl"] = public
    async with api_rig(tmp_path, gateway=config) as rig:
        await rig.ask_until_up("gateway.start")
        assert (await rig.ask("device.bootstrap.create")).get("publicUrl") == expected


async def test_a_one_time_token_is_for_this_hosts_operator(tmp_path: Path) -> None:
    async with api_rig(tmp_path) as rig:
        with pytest.raises(RemoteError, match="the gateway is not running at the moment"):
            await rig.ask("device.bootstrap.create")
        await rig.ask_until_up("gateway.start")
        answer = await rig.ask("device.bootstrap.create", scopes=["operator.read"])
        assert answer["url"] == "http://127.0.0.1:18789/"
        asked = ("device.bootstrap.create", {"scopes": ["operator.read"]})
        assert rig.gateway.link.told[-1] == asked
        with pytest.raises(RemoteError, match="only this host's operator"):
            await dispatch(rig.parts, "device.bootstrap.create", {}, remote=True)
        rig.gateway.link.wrong = "gone"
        with pytest.raises(RemoteError, match="the gateway is gone"):
            await rig.ask("device.bootstrap.create")
