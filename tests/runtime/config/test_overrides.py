"""Restart policy, health monitor and limits lie over each other field by field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.config.accounts import AccountSpec
from runtime.config.errors import ConfigError
from runtime.config.load import load_text

TOKEN = {"gateway": {"auth": {"token": "x"}}}


def accounts(channel: dict[str, Any], **supervisor: Any) -> dict[str, AccountSpec]:
    text = json.dumps({**TOKEN, "channels": {"local": channel}, "supervisor": supervisor})
    return load_text(Path("/etc/trunkline.json5"), text).accounts


@pytest.mark.parametrize("account", [True, False, None])
@pytest.mark.parametrize("channel", [True, False, None])
def test_the_monitor_is_on_unless_the_nearest_word_says_otherwise(
    account: bool | None, channel: bool | None
) -> None:
    """SUPERVISION 1.3 M10, scenario 115: account, then channel, then on."""
    own = {} if account is None else {"healthMonitor": {"enabled": account}}
    inherited = {} if channel is None else {"healthMonitor": {"enabled": channel}}
    spec = accounts({**inherited, "accounts": {"a": own}})["local:a"]
    expected = next((value for value in (account, channel) if value is not None), True)
    assert spec.health.enabled is expected


def test_each_field_comes_from_the_nearest_layer() -> None:
    spec = accounts(
        {
            "limits": {"niceness": 5, "openFiles": 100},
            "accounts": {"a": {"limits": {"openFiles": 200}}, "b": {}},
        },
        limits={"niceness": 1, "memorySoftBytes": 100 << 20},
    )
    assert (spec["local:a"].limits.niceness, spec["local:a"].limits.open_files) == (5, 200)
    assert (spec["local:b"].limits.niceness, spec["local:b"].limits.open_files) == (5, 100)
    assert spec["local:b"].limits.memory_soft_bytes == 100 << 20


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"healthMonitor": {"enabled": "yes"}}, "channels.local.accounts.a.healthMonitor.enabled"),
        ({"limits": {"niceness": 20}}, "channels.local.accounts.a.limits.niceness"),
        ({"limits": {"memory": 1}}, "channels.local.accounts.a.limits.memory"),
        ({"limits": {"memoryHardBytes": 17 << 20}}, "must not be less than memorySoftBytes"),
    ],
)
def test_a_wrong_field_is_named_with_its_place(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        accounts({"accounts": {"a": fields}})


def test_what_the_supervisor_looks_after_restarts_no_account() -> None:
    plain = accounts({"accounts": {"a": {}}})["local:a"]
    watched = accounts({"accounts": {"a": {"healthMonitor": {"enabled": False}}}})["local:a"]
    lean = accounts({"accounts": {"a": {"limits": {"memorySoftBytes": None}}}})["local:a"]
    live = {"niceness": 1, "openFiles": 100, "processes": 50}
    nice = accounts({"accounts": {"a": {"limits": live}}})["local:a"]
    assert plain.fingerprint == watched.fingerprint == lean.fingerprint == nice.fingerprint
    forked = accounts({"accounts": {"a": {"launcher": "exec"}}})["local:a"]
    assert forked.fingerprint != plain.fingerprint
