"""A changed configuration reaches the gateway's process once, or waits."""

from __future__ import annotations

import asyncio
import copy
from typing import Any, cast

import msgspec
import pytest

from ipc.frames.words import Phase
from runtime.config.gateway_model import ReloadConfig
from runtime.supervisor.gateways.factory import GatewayFactory
from runtime.supervisor.gateways.reconfigure import Reconfiguration
from runtime.supervisor.lifecycle import Exit
from tests.support.managed_gateway import GatewayRig, gateway_rig
from tests.support.until import until

MODES = ("hybrid", "hot", "reload", "restart", "off")


def configure(rig: GatewayRig, **fields: Any) -> None:
    """Have another configuration of the gateway from now on."""
    rig.loaded.config.gateway = msgspec.structs.replace(rig.loaded.config.gateway, **fields)


def reconfiguration(rig: GatewayRig) -> Reconfiguration:
    factory = cast("GatewayFactory", None)
    return Reconfiguration(rig.gateway, factory, lambda: rig.loaded, cast("Any", None))


@pytest.mark.virtual_time
async def test_s054_right_after_a_start_only_what_its_process_has_not_read_is_brought_in() -> None:
    async with gateway_rig() as rig:
        await rig.up()
        change = reconfiguration(rig)
        configure(rig, allowed_origins=["https://a"])
        assert len(change.waiting()) == 1
        assert change.apply(asked=False, changed=True) == "restarted"
        assert change.waiting() == []  # the process that comes reads it
        configure(rig, allowed_origins=["https://b"])  # before the new process is spawned
        await until(lambda: len(rig.kind.puppets) == 2)
        rig.link.open()
        await rig.is_in(Phase.RUNNING)
        assert change.apply(asked=True, changed=True) == "unchanged"
        assert change.waiting() == []
        configure(rig, allowed_origins=["https://c"])  # after it: however young, it is replaced
        assert change.apply(asked=False, changed=True) == "deferred"
        assert len(change.waiting()) == 1
        await asyncio.sleep(5.0)  # restarts are kept apart by half of that
        assert len(rig.kind.puppets) == 3
        assert change.waiting() == []


@pytest.mark.virtual_time
async def test_what_a_change_would_do_is_known_before_it_is_made() -> None:
    async with gateway_rig() as rig:
        await rig.up()
        change, present = reconfiguration(rig), rig.loaded.config.gateway

        def expected(**fields: Any) -> str:
            loaded = copy.deepcopy(rig.loaded)
            loaded.config.gateway = msgspec.structs.replace(present, **fields)
            return change.preview(loaded, changed=bool(fields)).name

        assert expected() == "NOTHING"
        assert expected(stop_within_seconds=9.0) == "NOTHING"
        assert expected(allowed_origins=["https://a"]) == "RESTART"
        assert expected(allowed_origins=["https://a"], reload=ReloadConfig("hot")) == "NOTHING"
        assert expected(port=1) == "MOVE"
        assert len(rig.kind.puppets) == 1


@pytest.mark.virtual_time
@pytest.mark.parametrize("mode", MODES)
async def test_s053_a_stopped_gateway_is_not_started_by_a_change(mode: str) -> None:
    async with gateway_rig() as rig:
        await rig.up()
        rig.gateway.stop()
        await rig.is_in(Phase.STOPPED)
        configure(rig, reload=ReloadConfig(mode=cast("Any", mode)), allowed_origins=["https://a"])
        reconfiguration(rig).apply(asked=True, changed=True)
        assert not await rig.gateway.until(lambda: rig.phase is not Phase.STOPPED, 60.0)
        rig.kind.puppets[-1].die(Exit(code=0))
