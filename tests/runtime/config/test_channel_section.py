"""A section is taken apart into our fields, those of the channel, and the accounts."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.config.channel_section import layered, place_of, safely, section_of
from runtime.config.model import Config
from tests.runtime.config.example import known


@pytest.mark.parametrize(
    ("section", "accounts", "place"),
    [
        ({"server": "s", "accounts": {"a": {}}}, ["a"], "channels.talk.accounts.a"),
        ({"server": "s"}, ["default"], "channels.talk"),
        ({"enabled": True}, [], "channels.talk.accounts.a"),
        ({"accounts": 5}, [], "channels.talk.accounts.a"),
    ],
)
def test_the_accounts_of_a_section_and_their_places(
    section: dict[str, Any], accounts: list[str], place: str
) -> None:
    found = section_of(Config(), known(), "talk", section)
    assert list(found.accounts) == accounts
    assert place_of(found, "a") == place


def test_our_fields_and_those_of_the_channel_are_kept_apart() -> None:
    found = section_of(Config(), known(), "talk", {"server": "s", "enabled": False})
    assert (found.own, found.inherited) == ({"enabled": False}, {"server": "s"})
    assert (found.ref, found.broken) == (known()["talk"].ref, None)


def test_a_channel_that_cannot_be_used_has_the_reason_and_no_fields() -> None:
    found = section_of(Config(), known(), "gone", {"server": "s"})
    assert (found.broken, found.ref, found.manifest.config.__struct_fields__) == (
        "not installed",
        "",
        (),
    )


def test_the_last_layer_of_a_part_counts() -> None:
    found = section_of(Config(), known(), "talk", {"restart": {"factor": 3, "jitter": 0}})
    fields = layered(found.base, "restart", [found.own, {"restart": {"factor": 4}}])
    assert (fields["factor"], fields["jitter"], fields["initialSeconds"]) == (4, 0, 5.0)


def test_what_a_manifest_raises_is_a_reason() -> None:
    assert safely(lambda: None) is None
    assert safely(lambda: str(1 // 0)) == (
        "the channel's manifest failed: ZeroDivisionError: integer division or modulo by zero"
    )
