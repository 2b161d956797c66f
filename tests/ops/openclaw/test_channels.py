"""Channels and accounts of OpenClaw."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.translated import translated

ENV = {"source": "env", "id": "TELEGRAM_BOT_TOKEN"}
TELEGRAM = {"botToken": "123:abc"}


def channel_of(name: str, fields: Any, **more: Any) -> Any:
    return translated({"channels": {name: fields}}, **more).config.get("channels", {}).get(name)


@pytest.mark.parametrize(
    ("name", "theirs", "ours"),
    [
        ("telegram", TELEGRAM, TELEGRAM),
        ("telegram", {"tokenFile": "/t"}, {"botToken": {"source": "file", "id": "/t"}}),
        ("telegram", {"streaming": {"mode": "partial"}}, {"streaming": "edits"}),
        ("telegram", {"streaming": "off"}, {"streaming": "off"}),
        ("telegram", {"dmPolicy": "open", "allowFrom": ["*"]},
         {"dmPolicy": "open", "allowFrom": ["*"]}),
        ("telegram", {"proxy": "http://proxy:3128"}, {"proxy": "http://proxy:3128"}),
        ("telegram", {"healthMonitor": {"enabled": False}}, {"healthMonitor": {"enabled": False}}),
        ("telegram", {"groupAllowFrom": ["1"], "groups": {"-1": {"topics": {"2": {}}}}},
         {"groupAllowFrom": ["1"], "groups": {"-1": {}}}),
        ("telegram", {"groupAllowFrom": "none of it"}, {"groupAllowFrom": []}),
        ("telegram", {"groupAllowFrom": ["${NONE}"]}, {"groupAllowFrom": []}),
        ("discord", {"token": "t", "guilds": {"1": {"requireMention": False, "users": ["user:2"]}}},
         {"token": "t", "guilds": {"1": {"requireMention": False, "users": ["2"]}}}),
        ("discord", {"guilds": {"1": {"channels": {"2": {"allow": True}, "general": {}}}}},
         {"guilds": {"1": {"channels": {"2": {"enabled": True}}}}}),
        ("discord", {"dm": {"enabled": False}, "dmPolicy": "open"}, {"dmPolicy": "disabled"}),
        ("discord", {"dm": {"policy": "open", "allowFrom": ["1"]}},
         {"dmPolicy": "allowlist", "allowFrom": ["1"]}),
        ("slack", {"botToken": "xoxb-1", "appToken": "xapp-1", "channels": {"C12": {}, "#g": {}}},
         {"botToken": "xoxb-1", "appToken": "xapp-1", "channels": {"C12": {}}}),
        ("irc", {"host": "irc.example", "nick": "bot", "nickserv": {"password": "p"}},
         {"server": "irc.example", "nick": "bot", "nickserv": {"password": "p"}}),
        ("irc", {"nickserv": {"enabled": False, "password": "p"}}, None),
        ("irc", {"allowFrom": ["ann", "bob!u@h"], "dangerouslyAllowNameMatching": True},
         {"allowFrom": ["unverified:ann"]}),
        ("whatsapp", {"allowFrom": ["+1"]}, None),
    ],
)  # fmt: skip
def test_a_channel_is_translated(name: str, theirs: Any, ours: Any) -> None:
    assert channel_of(name, theirs) == ours


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        # Who may talk in direct chats may in groups; Trunkline would let everybody in them talk.
        ({"allowFrom": ["1"]}, {"allowFrom": ["1"], "groupAllowFrom": ["1"]}),
        ({"allowFrom": ["*"]}, {"allowFrom": ["*"]}),
        ({"allowFrom": ["1"], "groupPolicy": "open"}, {"allowFrom": ["1"], "groupPolicy": "open"}),
        ({"groups": {"*": {}}}, {"groups": {"*": {}}, "groupAllowFrom": []}),
        (
            {"allowFrom": ["1"], "accounts": {"a": {"allowFrom": ["2"]}, "b": {}}},
            {
                "allowFrom": ["1"],
                "groupAllowFrom": ["1"],
                "accounts": {"a": {"allowFrom": ["2"], "groupAllowFrom": ["2"]}, "b": {}},
            },
        ),
        (
            {
                "allowFrom": ["1"],
                "groupPolicy": "open",
                "accounts": {"a": {"groupPolicy": "allowlist"}},
            },
            {
                "allowFrom": ["1"],
                "groupPolicy": "open",
                "accounts": {"a": {"groupPolicy": "allowlist", "groupAllowFrom": ["1"]}},
            },
        ),
    ],
)
def test_no_more_people_are_admitted_in_groups_than_before(theirs: Any, ours: Any) -> None:
    assert channel_of("telegram", theirs) == ours


def test_a_server_whose_rooms_cannot_be_named_is_not_heard_as_a_whole() -> None:
    fields = {"guilds": {"1": {"channels": {"general": {}}, "users": ["2"]}}}
    closed = {"channels": {"*": {"enabled": False}}, "users": ["2"]}
    assert channel_of("discord", fields) == {"guilds": {"1": closed}}


def test_the_channels_own_token_is_that_of_the_default_account() -> None:
    fields = {**TELEGRAM, "name": "all", "accounts": {"alerts": {"botToken": "456:def"}}}
    assert channel_of("telegram", fields) == {
        "name": "all",
        "accounts": {"alerts": {"botToken": "456:def"}, "default": TELEGRAM},
    }
    fields = {**TELEGRAM, "accounts": {"default": {}, "alerts": {"botToken": "456:def"}}}
    assert channel_of("telegram", fields)["accounts"]["default"] == TELEGRAM


@pytest.mark.parametrize(
    ("fields", "has"),
    [
        ({"enabled": True}, ENV),
        ({"accounts": {"default": {"name": "x"}}}, ENV),
        ({"accounts": {"other": {}}}, None),
        (TELEGRAM, "123:abc"),
    ],
)
def test_openclaws_variable_is_referred_to_where_there_is_no_token(fields: Any, has: Any) -> None:
    found = channel_of("telegram", fields, environ={"TELEGRAM_BOT_TOKEN": "1:a"})
    account = found.get("accounts", {}).get("default") or found
    assert account.get("botToken") == has


def test_the_default_group_policy_is_written_into_each_channel() -> None:
    channels = {"defaults": {"groupPolicy": "open", "x": 1}, "telegram": TELEGRAM, "irc": {}}
    found = translated({"channels": {**channels, "discord": {"groupPolicy": "disabled"}}})
    policies = {
        each: fields.get("groupPolicy") for each, fields in found.config["channels"].items()
    }
    assert policies == {"telegram": "open", "discord": "disabled"}
    assert "channels.defaults.x" in found.left
    alone = translated({"channels": {"defaults": {"groupPolicy": "open"}}})
    assert "channels.defaults.groupPolicy" in alone.left


@pytest.mark.parametrize("wrong", [5, [], "x", {"telegram": 5}, {"telegram": {"accounts": 5}}])
def test_what_is_no_object_is_left(wrong: Any) -> None:
    assert translated({"channels": wrong}).left
