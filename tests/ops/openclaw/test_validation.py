"""What our own check refuses does not stand in an imported file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from ops.openclaw.draft import Draft
from ops.openclaw.translation import inline_variables, translate
from ops.openclaw.validation import prune
from ops.openclaw.variables import Variables
from runtime.config.load import load_effective
from runtime.config.places import Places
from tests.ops.openclaw.test_translation import FILES, WHOLE
from tests.support.translated import CHANNELS, Translated, leaves, notes_of, shown

HERE = Path("/none")
PLACES = Places(HERE, HERE / "trunkline.json5", HERE, HERE, None)
SOURCE = Path("openclaw.json")


def pruned(values: dict[str, Any]) -> tuple[Translated, Draft]:
    draft = translate(values, Variables({}, {}, inline_variables(values)), CHANNELS, "new-token")
    load_effective(PLACES, {}, text=prune(draft, PLACES, SOURCE))
    return shown(draft), draft


@pytest.mark.parametrize(
    ("values", "left"),
    [
        ({"gateway": {"reload": {"mode": "x"}}}, "gateway.reload.mode"),
        ({"gateway": {"bind": "lan", "auth": {"mode": "none"}}}, "gateway.bind"),
        ({"session": {"dmScope": "everybody"}}, "session.dmScope"),
        ({"messages": {"queue": {"cap": -1}}}, "messages.queue.cap"),
        ({"channels": {"irc": {"accounts": {"a": {"host": "h", "nick": "1 x"}}}}},
         "channels.irc.accounts.a.nick"),
        ({"channels": {"telegram": {"proxy": "http://u:hush@h"}}}, "channels.telegram.proxy"),
        ({"channels": {"telegram": {"accounts": {"a b": {"botToken": "1:a"}}}}},
         "channels.telegram.accounts.a b.botToken"),
        ({"channels": {"telegram": {"mentionPatterns": {}}},
          "messages": {"groupChat": {"mentionPatterns": ["(?=x)"]}}},
         "messages.groupChat.mentionPatterns"),
        ({"channels": {"telegram": {"botToken": "1:a"}},
          "bindings": [{"agentId": "nobody", "match": {"channel": "telegram"}},
                       {"agentId": "main", "match": {"channel": "telegram"}}]}, "bindings[0]"),
        ({"channels": {"telegram": {"botToken": "1:a"}},
          "bindings": [{"agentId": "main", "match": {"channel": "telegram"}},
                       {"agentId": "main", "match": {"channel": "telegram"}}]}, "bindings[1]"),
        ({"commands": {"ownerAllowFrom": ["+49123"]}}, "commands.ownerAllowFrom"),
        ({"hooks": {"enabled": True}}, "hooks.enabled"),
        ({"gateway": {"mode": "remote", "remote": {"url": "http://x"}}},
         "agents.entries.main.kind (not set)"),
    ],
)  # fmt: skip
def test_what_is_refused_is_left_with_the_reason(values: dict[str, Any], left: str) -> None:
    found, _ = pruned(values)
    assert left in found.left
    assert "hush" not in str(found)


def test_a_switch_that_is_refused_is_off() -> None:
    found, _ = pruned({"channels": {"telegram": {"accounts": {"a": {"enabled": "x"}}}}})
    assert found.config["channels"]["telegram"]["accounts"]["a"] == {"enabled": False}
    assert "CLOSED" in found.changed["channels.telegram.accounts.a.enabled"]


def test_a_list_that_is_refused_admits_nobody() -> None:
    found, _ = pruned({"channels": {"telegram": {"botToken": "1:a", "allowFrom": ["9" * 400]}}})
    assert found.config["channels"]["telegram"]["allowFrom"] == []


def test_valid_values_stay() -> None:
    before = shown(translate(WHOLE, Variables(inline=inline_variables(WHOLE)), CHANNELS, "new"))
    assert pruned(WHOLE)[0].config == before.config


@settings(max_examples=25, deadline=None, derandomize=True)
@given(FILES)
def test_any_file_comes_to_one_that_is_valid_and_each_value_is_named(
    values: dict[str, Any],
) -> None:
    _, draft = pruned(values)
    assert [leaf for leaf in leaves(values) if len(notes_of(draft, leaf)) != 1] == []


def test_without_an_agent_the_default_is_none() -> None:
    found, _ = pruned({"gateway": {"mode": "remote", "remote": {"url": "http://x"}}})
    assert found.config["agents"] == {"entries": {}, "default": "none"}


def test_a_port_that_is_none_is_the_default() -> None:
    found, _ = pruned({"gateway": {"port": "x"}})
    assert found.config["gateway"]["port"] == 18_809
