"""Which kind of gateway a configuration asks for, and how patiently it is kept."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from runtime.config.gateway_model import GatewayConfig
from runtime.supervisor.gateways import attached, foreign
from runtime.supervisor.gateways.factory import GatewayFactory, policy_of, port_of
from runtime.supervisor.policy import GATEWAY_POLICY
from tests.support.gateway_context import gateway_context


@pytest.mark.parametrize(
    ("fields", "name", "url"),
    [
        ({}, "own", "ws://127.0.0.1:5"),
        ({"command": ["openclaw"]}, "command", "ws://127.0.0.1:5"),
        ({"url": "wss://far.example"}, "attached", "wss://far.example"),
        ({"url": "ws://far:7", "command": ["openclaw"]}, "attached", "ws://far:7"),
    ],
)
async def test_the_configuration_decides_the_kind(
    fields: dict[str, object], name: str, url: str, tmp_path: Path
) -> None:
    config = msgspec.structs.replace(GatewayConfig(), **fields)
    async with gateway_context(tmp_path) as rig:
        gateway = GatewayFactory(rig.context, tmp_path).make(config, "127.0.0.1", 5)
        assert (gateway.name, gateway.url) == (name, url)
        assert (gateway.listener is None) == (name == "attached")


def test_each_kind_has_its_own_patience_unless_the_configuration_names_another() -> None:
    own, command = GatewayConfig(), GatewayConfig(command=["openclaw"])
    assert policy_of(own) == GATEWAY_POLICY
    assert policy_of(command).ready_within == foreign.READY_WITHIN
    assert policy_of(own, attached=True) == attached.POLICY
    patient = msgspec.structs.replace(own, ready_within_seconds=7.0, stop_within_seconds=3.0)
    assert (policy_of(patient).ready_within, policy_of(patient).stop_within) == (7.0, 3.0)
    assert policy_of(patient, attached=True).ready_within == 7.0


@pytest.mark.parametrize(
    ("url", "port"),
    [("ws://a:18789", 18789), ("ws://a", 80), ("wss://a/x", 443), ("unix:/x", 0)],
)
def test_the_port_is_read_from_an_address(url: str, port: int) -> None:
    assert port_of(url) == port
