"""A whole configuration: nothing is lost without being named, and nothing is named twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.openclaw.draft import Draft
from ops.openclaw.translation import AGENTS, OWN, STRANGE, inline_variables, translate
from ops.openclaw.variables import Variables
from tests.support.translated import CHANNELS, leaves, notes_of, translated

WHOLE: dict[str, Any] = {
    "$schema": "x",
    "env": {"vars": {"BOT": "1:a", "OTHER": "x"}, "shellEnv": {"enabled": True}},
    "secrets": {
        "providers": {
            "one": {"source": "file", "path": "/run/one", "mode": "singleValue"},
            "two": {"source": "exec", "command": "/bin/x"},
        },
        "defaults": {"file": "one"},
    },
    "gateway": {
        "mode": "local",
        "port": 1,
        "auth": {"token": {"source": "file", "provider": "one", "id": "value"}},
    },
    "channels": {
        "telegram": {
            "botToken": "${BOT}",
            "groups": {"*": {"requireMention": False, "systemPrompt": "x"}, "team": {}},
            "accounts": {"default": {}, "b": {"botToken": "2:b", "unknown": [1, 2]}},
        },
        "whatsapp": {"allowFrom": ["+1"]},
    },
    "agents": {"defaults": {"workspace": "x"}, "list": [{"id": "main"}, {"id": "b", "skills": []}]},
    "bindings": [{"agentId": "b", "match": {"channel": "telegram", "accountId": "b"}}],
    "session": {"dmScope": "main", "store": "x"},
    "messages": {"queue": {"mode": "collect", "byChannel": {"telegram": "followup"}}},
    "tools": {"allow": ["exec"]},
    "models": {"mode": "merge"},
    "plugins": {},
}
NAMES = [
    *("gateway", "channels", "agents", "bindings", "session", "messages", "env", "hooks", "models"),
    *("secrets", "vars", "providers", "auth", "token", "mode", "port", "remote", "url", "tls"),
    *("telegram", "discord", "irc", "slack", "accounts", "default", "defaults", "groups", "guilds"),
    *("*", "1", "#room", "C12", "botToken", "allowFrom", "groupPolicy", "dm", "enabled", "policy"),
    *("entries", "list", "main", "id", "name", "identity", "tools", "deny", "model", "reset"),
    *("queue", "byChannel", "groupChat", "mentionPatterns", "match", "channel", "mappings", "x"),
]
SCALARS = st.sampled_from(
    ["x", "${X}", "local/m", "*", "collect", "", 0, 1, 5000, True, False, None]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    ),
    max_leaves=30,
)
FILES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6)


def draft_of(values: dict[str, Any]) -> Draft:
    return translate(values, Variables({}, {}, inline_variables(values)), CHANNELS, "new")


def test_a_whole_file_is_translated() -> None:
    found = translated(WHOLE)
    assert found.config["channels"]["telegram"] == {
        "groups": {"*": {"requireMention": False}},
        "groupAllowFrom": [],
        "accounts": {"default": {"botToken": "1:a"}, "b": {"botToken": "2:b"}},
    }
    assert "env.vars.BOT" in found.taken
    assert "env.vars.OTHER" in found.left
    assert "secrets.providers.one" in found.taken
    assert "secrets.providers.two" in found.left
    assert found.config["gateway"]["port"] == 21
    assert "channels.telegram.groups.team" in found.left


def test_every_value_of_a_whole_file_is_named_once() -> None:
    draft = draft_of(WHOLE)
    named = {leaf: notes_of(draft, leaf) for leaf in leaves(WHOLE)}
    assert [leaf for leaf, notes in named.items() if len(notes) != 1] == []


@settings(max_examples=40, deadline=None, derandomize=True)
@given(FILES)
def test_every_value_of_any_file_is_named_once(values: dict[str, Any]) -> None:
    draft = draft_of(values)
    named = {leaf: notes_of(draft, leaf) for leaf in leaves(values)}
    assert {leaf: notes for leaf, notes in named.items() if len(notes) != 1} == {}


def test_a_section_that_openclaw_does_not_have_is_named_as_that() -> None:
    values = {"chanels": {}, "tools": {}, "nodeHost": {}, "hoks": 1, "my-own": {"a": 1}}
    left = translated(values).left
    assert left["chanels"] == f"{STRANGE} (did you mean channels?)"
    assert left["hoks"] == f"{STRANGE} (did you mean hooks?)"
    assert left["my-own"] == STRANGE
    assert (left["tools"], left["nodeHost"]) == (AGENTS, OWN)


@pytest.mark.parametrize(
    ("values", "path", "near"),
    [
        ({"gateway": {"prt": 1, "bindd": "lan"}}, "gateway.bindd", "bind"),
        ({"channels": {"telegrm": {"botToken": "x"}}}, "channels.telegrm", "telegram"),
        ({"channels": {"telegram": {"botTokn": "x"}}}, "channels.telegram.botTokn", "botToken"),
        ({"channels": {"irc": {"acounts": {}}}}, "channels.irc.acounts", "accounts"),
        (
            {"channels": {"irc": {"accounts": {"a": {"alowFrom": []}}}}},
            "channels.irc.accounts.a.alowFrom",
            "allowFrom",
        ),
        ({"session": {"dmScop": "main"}}, "session.dmScop", "dmScope"),
    ],
)
def test_a_misspelt_field_is_named_with_the_one_that_it_is_like(
    values: dict[str, Any], path: str, near: str
) -> None:
    assert translated(values).left[path].endswith(f" (did you mean {near}?)")


def test_fields_of_openclaw_that_are_only_somewhat_alike_are_not_taken_for_misspelt() -> None:
    fields = ["mediaMaxMb", "linkPreview", "groupChat", "textChunkLimit", "replyToMode", "network"]
    found = translated({"channels": {"telegram": {"botToken": "x", **dict.fromkeys(fields, 1)}}})
    assert [path for path, reason in found.left.items() if "did you mean" in reason] == []


def test_no_secret_is_in_a_note() -> None:
    secret = "1234:hush-hush"
    values = {
        "env": {"vars": {"S": secret}},
        "gateway": {"auth": {"token": secret, "password": f"x{secret}"}},
        "channels": {"telegram": {"botToken": "${S}", "accounts": {"b": {"botToken": secret}}}},
        "hooks": {"token": secret},
    }
    assert secret not in str(draft_of(values).notes)
