"""Who is admitted by ``dmPolicy: "open"`` of OpenClaw, and by what becomes of it here."""

from __future__ import annotations

from typing import Any

import pytest

from ops.openclaw.open_policies import CLOSED, OPENED
from tests.support.translated import translated

ALL, SOME = ["*"], ["1"]


@pytest.mark.parametrize(
    ("channel", "account", "ours", "own"),
    [
        ({"dmPolicy": "open", "allowFrom": ALL}, {}, "open", None),
        ({"dmPolicy": "open", "allowFrom": SOME}, {}, "allowlist", None),
        ({"dmPolicy": "open"}, {}, "allowlist", None),
        ({"dmPolicy": "open", "allowFrom": []}, {}, "allowlist", None),
        ({"dm": {"policy": "open"}}, {}, "allowlist", None),
        ({"dm": {"policy": "open", "allowFrom": ALL}}, {}, "open", None),
        ({"dmPolicy": "open", "allowFrom": ALL}, {"allowFrom": SOME}, "open", "allowlist"),
        ({"dmPolicy": "open"}, {"allowFrom": ALL}, "allowlist", "open"),
        ({"dmPolicy": "open"}, {"allowFrom": SOME}, "allowlist", None),
        ({"allowFrom": ALL}, {"dmPolicy": "open"}, None, "open"),
        ({"allowFrom": SOME}, {"dmPolicy": "open"}, None, "allowlist"),
        ({}, {"dmPolicy": "open", "allowFrom": ALL}, None, "open"),
        ({}, {"dmPolicy": "open"}, None, "allowlist"),
        ({"dmPolicy": "${P}", "allowFrom": SOME}, {}, "allowlist", None),
        ({"dmPolicy": "pairing"}, {"allowFrom": ALL}, "pairing", None),
        ({"dmPolicy": "disabled"}, {}, "disabled", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["telegram", "discord", "slack", "irc"])
def test_open_admits_those_whom_openclaw_admits(
    name: str, channel: Any, account: Any, ours: str | None, own: str | None
) -> None:
    section = {**channel, "accounts": {"a": {"enabled": True, **account}}}
    found = translated({"channels": {name: section}, "env": {"vars": {"P": "open"}}}, {"P": "open"})
    made = found.config["channels"][name]
    assert made.get("dmPolicy") == ours
    assert made["accounts"]["a"].get("dmPolicy") == own


@pytest.mark.parametrize(
    ("fields", "path", "reason"),
    [
        ({"dmPolicy": "open"}, "channels.slack.dmPolicy", CLOSED),
        ({"dm": {"policy": "open"}}, "channels.slack.dm.policy", CLOSED),
        ({"allowFrom": ALL, "dmPolicy": "open", "accounts": {"a": {"allowFrom": ["U12"]}}},
         "channels.slack.accounts.a.dmPolicy (not set)", CLOSED),
        ({"dmPolicy": "open", "accounts": {"a": {"allowFrom": ALL}}},
         "channels.slack.accounts.a.dmPolicy (not set)", OPENED),
    ],
)  # fmt: skip
def test_the_report_says_so_in_one_line(fields: Any, path: str, reason: str) -> None:
    found = translated({"channels": {"slack": fields}})
    assert found.changed[path] == reason
    assert path not in found.taken
