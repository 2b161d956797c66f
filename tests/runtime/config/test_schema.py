"""The schema of the real configuration, one place at a time."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.config.schema import find_at, hints, schema
from tests.runtime.config.example import known as with_agents
from workers.registry import manifests

MANIFESTS = manifests()
SCHEMA, HINTS = schema(MANIFESTS), hints(MANIFESTS)


def at(path: str) -> dict[str, Any]:
    found = find_at(SCHEMA, HINTS, path)
    assert found is not None
    assert found["path"] == path
    return found


def child(path: str, key: str) -> dict[str, Any]:
    return next(each for each in at(path)["children"] if each["key"] == key)


def test_the_whole_has_the_top_level_keys() -> None:
    assert {each["key"] for each in at(".")["children"]} >= {"gateway", "channels"}
    assert child(".", "gateway") == {
        "key": "gateway",
        "path": "gateway",
        "required": False,
        "hasChildren": True,
        "type": "object",
    }


def test_a_plain_value_has_its_schema_and_nothing_inside() -> None:
    found = at("gateway.port")
    assert found["schema"]["type"] == "integer"
    assert found["children"] == []


def test_what_is_inside_is_not_told_twice() -> None:
    assert "properties" not in at("gateway")["schema"]


@pytest.mark.parametrize("account", ["*", "libera", "[libera]"])
def test_an_account_is_found_by_any_name(account: str) -> None:
    path = f"channels.irc.accounts.{account}"
    assert child(path, "nick")["type"] == "string"
    assert {each["key"] for each in at("channels.irc.accounts")["children"]} == {"*"}


def test_secrets_are_marked_as_sensitive() -> None:
    found = at("channels.irc.accounts.libera.password")
    assert found["hint"] == {"sensitive": True}
    assert found["hintPath"] == "channels.irc.accounts.*.password"
    assert child("gateway.auth", "token")["hint"] == {"sensitive": True}
    assert child("hooks", "token")["hint"] == {"sensitive": True}
    assert "hint" not in at("gateway.tickIntervalMs")


def test_fields_that_only_the_host_changes_say_so() -> None:
    said = {"help": "Changed on the gateway's host alone, unless gateway.remoteExec is true."}
    for path in ("gateway.command", "channels.irc.server", "channels.irc.accounts.libera.launcher"):
        assert at(path)["hint"] == said


def test_a_list_is_entered_by_a_place() -> None:
    assert at("gateway.allowedOrigins")["children"][0]["key"] == "*"
    assert at("gateway.allowedOrigins[0]")["schema"]["type"] == "string"


@pytest.mark.parametrize("path", ["nothing", "gateway.nothing", "gateway.port.deeper"])
def test_an_unknown_path_has_no_schema(path: str) -> None:
    assert find_at(SCHEMA, HINTS, path) is None


def test_an_agent_has_the_fields_of_its_kind_and_those_that_all_have() -> None:
    manifests = with_agents()
    whole, marks = schema(manifests), hints(manifests)

    def found(path: str) -> Any:
        return find_at(whole, marks, path)

    entry = found("agents.entries.main")
    assert entry is not None
    assert {"kind", "timeoutSeconds", "baseUrl"} <= {each["key"] for each in entry["children"]}
    assert found("agents.entries.main.apiKey")["hint"] == {"sensitive": True}
    assert "host alone" in found("agents.entries.main.baseUrl")["hint"]["help"]
    assert "host alone" in found("agents.entries.main.confine")["hint"]["help"]
    assert found("agents.default")["schema"]["type"] == "string"
