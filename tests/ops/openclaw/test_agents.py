"""Agents of OpenClaw, which stay there, or can do without it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.translated import translated

URL = "ws://127.0.0.1:18789"
PROVIDERS = {
    "providers": {
        "local": {"baseUrl": "http://127.0.0.1:4000/v1", "apiKey": "${KEY}", "models": []},
        "cloud": {"baseUrl": "https://cloud.example", "api": "anthropic-messages"},
    }
}
BARE = {"tools": {"deny": ["*"]}}


@pytest.mark.parametrize(
    ("agents", "entries", "default"),
    [
        (None, {"main": {"kind": "openclaw", "url": URL}}, "main"),
        ({"entries": {"a": {}}}, {"a": {"kind": "openclaw", "url": URL, "agentId": "a"}}, "a"),
        ({"list": [{"id": "a"}, {"id": "main", "name": "Molly"}]},
         {"a": {"kind": "openclaw", "url": URL, "agentId": "a"},
          "main": {"kind": "openclaw", "url": URL, "name": "Molly"}}, "a"),
        ({"entries": {"a": {}, "b": {"default": True}}},
         {name: {"kind": "openclaw", "url": URL, "agentId": name} for name in "ab"}, "b"),
        ({"entries": {"a": {}, "b": {}}},
         {name: {"kind": "openclaw", "url": URL, "agentId": name} for name in "ab"}, "none"),
        ({"entries": {"main": {"identity": {"name": "Clawd", "emoji": "x"}}}},
         {"main": {"kind": "openclaw", "url": URL, "name": "Clawd"}}, "main"),
    ],
)  # fmt: skip
def test_agents_are_asked_where_they_are(agents: Any, entries: Any, default: str) -> None:
    found = translated({} if agents is None else {"agents": agents})
    assert found.config["agents"] == {"entries": entries, "default": default}
    assert found.config["gateway"]["port"] == 18_809  # OpenClaw goes on at its own


@pytest.mark.parametrize(
    ("gateway", "environ", "ours"),
    [
        ({"auth": {"token": "t"}}, {}, {"token": "t"}),
        ({"auth": {"token": "${T}"}}, {}, {"token": {"source": "env", "id": "T"}}),
        ({"auth": {"mode": "password", "token": "t", "password": "p"}}, {}, {"password": "p"}),
        ({}, {"OPENCLAW_GATEWAY_TOKEN": "x"},
         {"token": {"source": "env", "id": "OPENCLAW_GATEWAY_TOKEN"}}),
        ({"port": 7000, "tls": {"enabled": True}}, {}, {"url": "wss://127.0.0.1:7000"}),
        ({"mode": "remote", "remote": {"url": "wss://claw.example", "token": "r"}}, {},
         {"url": "wss://claw.example", "token": "r"}),
    ],
)  # fmt: skip
def test_where_and_with_which_secret(gateway: Any, environ: Any, ours: Any) -> None:
    agent = translated({"gateway": gateway}, environ=environ).config["agents"]["entries"]["main"]
    assert agent == {"kind": "openclaw", "url": URL, **ours}


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        ({"model": "local/llama", **BARE}, "openai"),
        ({"model": {"primary": "local/llama"}, **BARE}, "openai"),
        ({"model": "local/llama"}, "openclaw"),  # it has tools
        ({"model": "cloud/claude", **BARE}, "openclaw"),  # another protocol
        ({"model": "unknown/x", **BARE}, "openclaw"),
        (BARE, "openclaw"),
    ],
)
def test_an_agent_without_tools_can_do_without_openclaw(agent: Any, kind: str) -> None:
    values = {"agents": {"entries": {"a": agent}}, "models": PROVIDERS}
    found = translated(values)
    entry = found.config["agents"]["entries"]["a"]
    assert entry["kind"] == kind
    if kind == "openai":
        assert entry == {
            "kind": "openai",
            "model": "llama",
            "baseUrl": "http://127.0.0.1:4000/v1",
            "apiKey": {"source": "env", "id": "KEY"},
        }
        assert "port" not in found.config["gateway"]  # nobody else has it


def test_two_agents_of_one_endpoint_have_its_address_both() -> None:
    entries = {name: {"model": "local/llama", **BARE} for name in "ab"}
    found = translated({"agents": {"entries": entries}, "models": PROVIDERS})
    made = found.config["agents"]["entries"]
    assert made["a"] == made["b"]


@pytest.mark.parametrize(
    ("agents", "path", "reason"),
    [
        ({"list": {}}, "agents.list", "is not a list"),
        ({"list": []}, "agents.list", "is empty"),
        ({"entries": []}, "agents.entries", "is not an object"),
        ({"entries": {}}, "agents.entries", "is empty"),
    ],
)
def test_what_is_wrong_with_a_value_is_named(agents: Any, path: str, reason: str) -> None:
    assert translated({"agents": agents}).left[path] == reason


@pytest.mark.parametrize("port", ["x", 0, 70_000, True])
def test_a_port_that_is_none_is_named(port: Any) -> None:
    assert (
        translated({"gateway": {"port": port}}).changed["gateway.port"].startswith("is not a port")
    )


@pytest.mark.parametrize("wrong", [5, {}, {"entries": 5}, {"list": [5, {}]}, {"defaults": 5}])
def test_what_is_no_agent_is_left(wrong: Any) -> None:
    found = translated({"agents": wrong})
    assert list(found.config["agents"]["entries"]) == ["main"]
    assert any(path.startswith("agents") for path in found.left)
