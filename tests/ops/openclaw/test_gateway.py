"""The gateway's part."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.translated import NEW_TOKEN, translated

DIRECT = {  # without it OpenClaw goes on, and has the port
    "agents": {"entries": {"main": {"model": "p/m", "tools": {"deny": ["*"]}}}},
    "models": {"providers": {"p": {"baseUrl": "http://127.0.0.1:1/v1"}}},
}
TOKEN = {"auth": {"token": "t"}}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"port": 1234}, {"port": 1234}),
        ({"mode": "local"}, {}),
        ({"bind": "lan"}, {"bind": "lan"}),
        ({"bind": "custom", "customBindHost": "10.0.0.1"}, {"bind": "10.0.0.1"}),
        ({"bind": "tailnet"}, {}),
        ({"publicOrigin": "https://a.example"}, {"publicUrl": "https://a.example"}),
        ({"trustedProxies": ["10.0.0.1"]}, {"trustedProxies": ["10.0.0.1"]}),
        ({"tls": {"enabled": True, "certPath": "~/c.pem"}},
         {"tls": {"enabled": True, "certPath": "/home/ann/c.pem"}}),
        ({"tls": {"certPath": "c.pem", "autoGenerate": True}}, {}),
        ({"nodes": {"commands": {"allow": ["a"], "deny": ["b"]}}},
         {"nodes": {"allowCommands": ["a"], "denyCommands": ["b"]}}),
        ({"nodes": {"allowCommands": ["a"]}}, {"nodes": {"allowCommands": ["a"]}}),
        ({"reload": {"mode": "hot"}}, {"reload": {"mode": "hot"}}),
        ({"http": {"endpoints": {"responses": {"enabled": True, "images": {}}}}},
         {"http": {"endpoints": {"responses": {"enabled": True}}}}),
        ({"controlUi": {"allowedOrigins": ["https://a.example"], "basePath": "/x", "root": "x"}},
         {"allowedOrigins": ["https://a.example"], "controlUi": {"basePath": "/x"}}),
        ({"tools": {"deny": ["x"]}}, {"tools": {"deny": ["x"]}}),
    ],
)  # fmt: skip
def test_the_gateway_section_is_translated(theirs: Any, ours: Any) -> None:
    found = translated({**DIRECT, "gateway": {**TOKEN, **theirs}}, environ={"HOME": "/home/ann"})
    assert found.config["gateway"] == {**TOKEN, **ours}


@pytest.mark.parametrize(
    ("auth", "environ", "ours"),
    [
        ({}, {}, {"token": NEW_TOKEN}),
        ({}, {"OPENCLAW_GATEWAY_TOKEN": "t"},
         {"token": {"source": "env", "id": "OPENCLAW_GATEWAY_TOKEN"}}),
        ({"token": "${T}"}, {"T": "t"}, {"token": {"source": "env", "id": "T"}}),
        ({"password": "p"}, {}, {"mode": "password", "password": "p"}),
        ({"mode": "none"}, {}, {"mode": "none"}),
        ({"token": "t", "rateLimit": {"maxAttempts": 3}}, {},
         {"token": "t", "rateLimit": {"maxAttempts": 3}}),
        ({"token": {"source": "store", "provider": "default", "id": "T"}}, {},
         {"token": NEW_TOKEN}),
    ],
)  # fmt: skip
def test_the_gateway_is_never_without_a_secret(auth: Any, environ: Any, ours: Any) -> None:
    found = translated({**DIRECT, "gateway": {"auth": auth}}, environ=environ)
    assert found.config["gateway"]["auth"] == ours


def test_older_names_of_the_health_monitor() -> None:
    gateway = {"channelStaleEventThresholdMinutes": 5, "channelMaxRestartsPerHour": 3}
    found = translated({"gateway": gateway})
    assert found.config["supervisor"]["healthMonitor"] == {
        "staleAfterSeconds": 300,
        "restartsPerHour": 3,
    }
    assert translated({"gateway": {"channelStaleEventThresholdMinutes": "x"}}).left
