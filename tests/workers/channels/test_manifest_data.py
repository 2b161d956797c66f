"""A manifest that is known as data is checked, hidden and shown as the one it was made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from runtime.config.check import account_problems
from runtime.config.local_fields import local_paths
from workers.channels.manifest_data import data_of, installed, manifest_of_data, manifests_in
from workers.plugin import LOCAL, REMOTE, Manifest
from workers.registry import InstalledChannel, Manifests, manifests

PYTHON = "/venv/bin/python"


class Inner(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    user_name: str
    password: Annotated[str, Meta(min_length=4)] = "none"


class Fields(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What one account has."""

    server_host: Annotated[Annotated[str, Meta(pattern="^[a-z]+$")], REMOTE]
    port: Annotated[int, Meta(ge=1, le=65535)] = 1
    mode: Literal["a", "b"] = "a"
    rooms: list[str] = []
    labels: dict[str, Annotated[int, Meta(gt=0)]] = {}
    sign_in: Inner | None = None
    run: Annotated[str | None, LOCAL] = None


class Own(Manifest):
    __slots__ = ()

    def unconfigured(self, config: Mapping[str, Any]) -> str | None:
        return "never"


MADE = Own(
    "made",
    "Made",
    Fields,
    "made.plugin:Made",
    secrets=frozenset({"signIn.password"}),
    secret_parts={"rooms": lambda text: text[1:]},
    can=frozenset({"http", "edit"}),
    idempotent=3.0,
)


def over_the_wire(manifest: Manifest) -> Manifest:
    return manifest_of_data(json.loads(json.dumps(data_of(manifest))))


@pytest.mark.parametrize("manifest", [*(each.manifest for each in manifests().values()), MADE])
def test_nothing_that_is_data_is_lost(manifest: Manifest) -> None:
    found = over_the_wire(manifest)
    assert data_of(found) == data_of(manifest)
    assert found.abilities() == manifest.abilities()
    sides = []
    for each in (manifest, found):
        known = Manifests()
        known[each.id] = InstalledChannel(each, "m:m", "p")
        sides.append(list(local_paths(known)))
    assert sides[0] == sides[1]


@pytest.mark.parametrize(
    "fields",
    [
        {"serverHost": "abc"},
        {"serverHost": "ABC"},
        {"serverHost": "abc", "port": 0},
        {"serverHost": "abc", "mode": "c"},
        {"serverHost": "abc", "rooms": "x"},
        {"serverHost": "abc", "labels": {"k": 0}},
        {"serverHost": "abc", "signIn": {"userName": "u", "password": "abc"}},
        {"serverHost": "abc", "signIn": {"usrName": "u"}},
        {"serverHost": "abc", "nothing": 1},
    ],
)
def test_the_same_is_wrong_with_the_same_fields(fields: dict[str, Any]) -> None:
    texts = [
        [str(each) for each in account_problems(fields, struct, MADE.secrets, "x")]
        for struct in (Fields, over_the_wire(MADE).config)
    ]
    assert texts[0] == texts[1]


def test_what_is_code_is_left_to_the_worker() -> None:
    found = over_the_wire(MADE)
    assert found.unconfigured({"serverHost": "abc"}) is None
    assert found.unconfigured({}) == "serverHost not set"
    assert found.secret_parts["rooms"]("a key") == "a key"  # all of it counts as secret


class Tree(msgspec.Struct):
    name: str
    children: list[Tree] = []


def test_what_contains_itself_is_anything_inside() -> None:
    struct = over_the_wire(Manifest("made", "Made", Tree, "made.plugin:Made")).config
    assert [str(each) for each in account_problems({"name": 5}, struct, (), "x")]
    assert not account_problems({"name": "a", "children": [{"strange": 1}]}, struct, (), "x")


def test_a_channel_whose_data_is_wrong_is_broken_alone() -> None:
    data = json.loads(json.dumps(installed()))
    data["channels"]["irc"]["manifest"]["plugin"] = "no import string"
    del data["channels"]["slack"]["manifest"]["config"]
    found = manifests_in(data, PYTHON)
    assert found["local"].python == PYTHON
    assert set(found.broken) == {"irc", "slack"}
    assert "has the plugin 'no import string'" in found.broken["irc"]
