"""Sessions, queues, bindings, and what runs by itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.translated import translated

SCOPES = {"dmScope": "main", "groupScope": "per-channel"}
CHANNELS = {"telegram": {"botToken": "1:a"}, "discord": {"token": "t"}}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (None, SCOPES),
        ({"dmScope": "per-peer"}, {**SCOPES, "dmScope": "per-peer"}),
        ({"scope": "per-sender", "mainKey": "main"}, SCOPES),
        ({"groupScope": "per-group"}, SCOPES),
        ({"reset": {"mode": "daily"}}, {**SCOPES, "reset": {"dailyHour": 4}}),
        ({"reset": {"mode": "daily", "atHour": 3, "idleMinutes": 60}},
         {**SCOPES, "reset": {"dailyHour": 3, "idleMinutes": 60}}),
        ({"reset": {"mode": "idle", "atHour": 3, "idleMinutes": 60}},
         {**SCOPES, "reset": {"idleMinutes": 60}}),
        ({"reset": {"mode": "none", "idleMinutes": 60}}, SCOPES),
        ({"idleMinutes": 5}, {**SCOPES, "reset": {"idleMinutes": 5}}),
        ({"identityLinks": {"ann": ["telegram:1", "signal:2"], "bob": ["signal:3"]}},
         {**SCOPES, "identityLinks": {"ann": ["telegram:1"]}}),
        ({"store": "x", "maintenance": {}}, SCOPES),
    ],
)  # fmt: skip
def test_sessions_with_openclaws_defaults_written_out(theirs: Any, ours: Any) -> None:
    values = {} if theirs is None else {"session": theirs}
    assert translated(values).config["session"] == ours


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (None, {"mode": "steer"}),
        ({"queue": {"mode": "collect", "cap": 5, "drop": "old"}}, {"mode": "collect", "cap": 5}),
        ({"queue": {"mode": "steer-backlog"}}, {"mode": "steer"}),
        ({"queue": {"byChannel": {"telegram": "queue", "signal": "collect"}}},
         {"mode": "steer", "byChannel": {"telegram": {"mode": "followup"}}}),
        ({"queue": {"debounceMs": 7, "debounceMsByChannel": {"discord": 9}}},
         {"mode": "steer", "debounceMs": 7, "byChannel": {"discord": {"debounceMs": 9}}}),
        ({"inbound": {"debounceMs": 5}, "ackReaction": "x"}, {"mode": "steer"}),
    ],
)  # fmt: skip
def test_the_queue_with_openclaws_default_written_out(theirs: Any, ours: Any) -> None:
    values = {} if theirs is None else {"messages": theirs}
    assert translated({**values, "channels": CHANNELS}).config["queue"] == ours


def test_patterns_of_names_are_written_into_each_channel() -> None:
    messages = {"groupChat": {"mentionPatterns": ["bot"], "historyLimit": 5}}
    found = translated({"messages": messages, "channels": CHANNELS})
    assert {each["mentionPatterns"][0] for each in found.config["channels"].values()} == {"bot"}
    assert "messages.groupChat.mentionPatterns" in translated({"messages": messages}).left


@pytest.mark.parametrize(
    ("match", "ours"),
    [
        ({"channel": "telegram"}, {"channel": "telegram"}),
        ({"channel": "telegram", "accountId": "*"}, {"channel": "telegram", "accountId": "*"}),
        ({"channel": "telegram", "peer": {"kind": "dm", "id": "5"}},
         {"channel": "telegram", "peer": {"kind": "direct", "id": "5"}}),
        ({"channel": "telegram", "peer": {"kind": "group", "id": "-1:topic:7"}},
         {"channel": "telegram", "peer": {"kind": "group", "id": "-1"}, "thread": "7"}),
        ({"channel": "discord", "guildId": "1", "roles": ["2"]},
         {"channel": "discord", "guildId": "1", "roles": ["2"]}),
    ],
)  # fmt: skip
def test_a_binding_is_translated(match: Any, ours: Any) -> None:
    values = {"channels": CHANNELS, "bindings": [{"agentId": "a", "match": match}]}
    assert translated(values).config["bindings"] == [{"agentId": "a", "match": ours}]


def test_bindings_that_do_not_come_along_are_named_one_by_one() -> None:
    bindings = [
        {"agentId": "a", "match": {"channel": "signal"}},
        {"agentId": "a", "match": {"channel": "telegram"}, "comment": "x"},
        {"type": "acp", "agentId": "a", "match": {"channel": "telegram"}},
        5,
    ]
    found = translated({"channels": CHANNELS, "bindings": bindings})
    assert set(found.left) >= {"bindings[0]", "bindings[2]", "bindings[3]"}
    assert "comment" in found.changed["bindings[1]"]
    assert translated({"bindings": {}}).left["bindings"] == "is not a list"


@pytest.mark.parametrize(
    ("section", "theirs", "ours"),
    [
        ("commands", {"ownerAllowFrom": ["telegram:1"], "bash": True},
         {"ownerAllowFrom": ["telegram:1"]}),
        ("cron", {"enabled": False, "maxConcurrentRuns": 2, "retry": {}},
         {"enabled": False, "maxConcurrentRuns": 2}),
        ("hooks", {"enabled": True, "token": "t", "presets": ["gmail"],
                   "mappings": [{"match": {"path": "a"}}, {"transform": {"module": "x"}}]},
         {"enabled": True, "token": "t", "mappings": [{"match": {"path": "a"}}]}),
        ("hooks", {"mappings": 5}, None),
        ("logging", {"level": "warn", "file": "x"}, {"level": "warning"}),
        ("canvasHost", {"enabled": True, "root": "~/c", "liveReload": True},
         {"enabled": True, "root": "~/c"}),
    ],
)  # fmt: skip
def test_other_sections_are_translated(section: str, theirs: Any, ours: Any) -> None:
    assert translated({section: theirs}).config.get(section) == ours
