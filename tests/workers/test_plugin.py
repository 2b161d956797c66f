"""A manifest answers for its accounts without the SDK."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from workers.plugin import Manifest, Media, Text, fields_of


class Config(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    server_name: str
    token: str
    port: int = 1


manifest = Manifest("talk", "Talk", Config, "talk:Talk", secrets=frozenset({"token"}))


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({}, "serverName, token not set"),
        ({"serverName": "x"}, "token not set"),
        ({"serverName": "", "token": None}, "serverName, token not set"),
        ({"serverName": "x", "token": {"source": "env", "id": "T"}}, None),
        ({"serverName": 7, "token": "t"}, None),  # wrong, not absent: validation says so
    ],
)
def test_an_account_is_unconfigured_while_a_field_without_default_is_absent(
    config: dict[str, Any], why: str | None
) -> None:
    assert manifest.unconfigured(config) == why


def test_a_channel_can_send_and_describes_nothing_unless_it_says_so() -> None:
    assert manifest.actions == {"send"}
    assert manifest.describe({"serverName": "x"}) == ""


def test_actions_are_another_name_for_what_a_channel_can() -> None:
    given = replace(manifest, actions=frozenset({"send", "edit", "pin"}), can=frozenset({"poll"}))
    assert given.can == {"edit", "pin", "poll"}
    assert given.actions == {"send", "edit", "pin"}
    assert replace(given, label="Other").can == given.can


def test_what_answers_http_is_no_action_of_clients() -> None:
    given = replace(manifest, can=frozenset({"http", "edit"}))
    assert given.actions == {"send", "edit"}
    assert given.abilities() == {"can": ["edit", "http"]}


def test_what_clients_may_offer_is_shown() -> None:
    assert manifest.abilities() == {"can": []}
    media = Media(send=frozenset({"image"}), receive=True, max_up=50)
    able = replace(manifest, can=frozenset({"typing", "edit"}), media=media, text=Text(limit=4096))
    assert able.abilities() == {
        "can": ["edit", "typing"],
        "text": {"limit": 4096, "unit": "chars"},
        "media": {"send": ["image"], "receive": True, "maxUp": 50, "maxDown": 0},
    }


def test_the_fields_of_a_struct_are_resolved_once() -> None:
    assert fields_of(Config) is fields_of(Config)
    assert [each.encode_name for each in fields_of(Config)] == ["serverName", "token", "port"]


def test_a_config_that_is_no_struct_is_left_to_the_registry_to_refuse() -> None:
    """Making the manifest must not raise: it would look like a broken import."""
    odd: Any = dict
    assert Manifest("talk", "Talk", odd, "talk:Talk").id == "talk"
