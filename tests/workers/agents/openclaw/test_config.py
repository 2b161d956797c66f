from __future__ import annotations

from typing import Any

import msgspec
import pytest

from workers.agents.openclaw import manifest
from workers.agents.openclaw.config import OpenClawConfig


def made(**fields: Any) -> OpenClawConfig:
    return msgspec.convert({"url": "wss://claw.example"} | fields, OpenClawConfig)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"url": "https://claw.example"}, "url must begin with wss://"),
        ({"url": "wss://ann:hunter2@claw.example"}, "url must not hold a user"),
        ({"url": "wss://claw.example/?token=hunter2"}, r"url must be an address without \?"),
        ({"url": "ws://claw.example"}, "url must begin with wss://: ws:// sends the secret"),
        ({"url": "ws://93.184.216.34:18789"}, "ws:// sends the secret"),
        ({"url": "wss://[::1"}, "url must be an address like"),
        ({"token": "hunter2", "password": "hunter2"}, "password and token must not both be set"),
        ({"agentId": "a:b"}, "agentId"),
        ({"strange": 1}, "unknown field"),
    ],
)
def test_a_wrong_field_is_refused_with_the_reason(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why) as caught:
        made(**fields)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "ws://127.0.0.1:18789"},
        {"url": "ws://localhost:18789"},
        {"url": "ws://192.168.1.5:18789"},
        {"url": "ws://claw.example", "allowPlain": True},
    ],
)
def test_a_secret_may_go_unencrypted_in_the_own_network(fields: dict[str, Any]) -> None:
    assert made(**fields).agent_id == "main"


def test_an_agent_is_called_by_its_id_and_host() -> None:
    assert manifest.describe({"url": "wss://claw.example:8/x"}) == "main at claw.example"
    assert manifest.describe({"url": "ws://[::1", "agentId": "ops"}) == ""
    assert manifest.unconfigured({}) == "url not set"
