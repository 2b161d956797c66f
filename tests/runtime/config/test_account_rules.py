"""Fields of an account that depend on each other."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.config.account_rules import (
    access_problems,
    ingress_problems,
    launcher_problems,
    streaming_problems,
)
from workers.registry import manifests

FOUND = manifests()


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, False),
        ({"confine": False}, False),
        ({"confine": True}, True),
        ({"confine": True, "launcher": "zygote"}, True),
        ({"confine": True, "launcher": "exec"}, False),
        ({"confine": True, "python": "/venv/bin/python"}, False),
    ],
)
def test_only_an_own_interpreter_is_confined(fields: dict[str, Any], wrong: bool) -> None:
    assert [each.path for each in launcher_problems(fields, "a")] == ["a.confine"] * wrong


@pytest.mark.parametrize(
    ("channel", "ingress", "wrong"),
    [("webhook", True, False), ("irc", True, True), ("irc", False, False)],
)
def test_only_channels_that_take_requests_have_an_ingress(
    channel: str, ingress: bool, wrong: bool
) -> None:
    found = ingress_problems(FOUND[channel].manifest, {"ingress": ingress}, "a")
    assert [each.path for each in found] == ["a.ingress"] * wrong


@pytest.mark.parametrize(
    ("channel", "streaming", "wrong"),
    [("telegram", "edits", False), ("irc", "edits", True), ("irc", "off", False)],
)
def test_only_answers_in_channels_that_can_edit_grow(
    channel: str, streaming: str, wrong: bool
) -> None:
    found = streaming_problems(FOUND[channel].manifest, {"streaming": streaming}, "a")
    assert [each.path for each in found] == ["a.streaming"] * wrong


@pytest.mark.parametrize(
    ("channel", "fields", "journal", "wrong"),
    [
        ("telegram", {}, "on", []),
        ("telegram", {}, "off", ["a.dmPolicy"]),
        ("telegram", {"dmPolicy": "open"}, "off", []),
        ("local", {}, "off", []),
        ("local", {"dmPolicy": "pairing"}, "off", ["a.dmPolicy"]),
        ("discord", {"groups": {}}, "on", ["a.groups"]),
        ("telegram", {"groups": {}}, "on", []),
    ],
)
def test_people_pair_where_they_can_be_remembered(
    channel: str, fields: dict[str, Any], journal: str, wrong: list[str]
) -> None:
    found = access_problems(FOUND[channel].manifest, fields, "a", journal=journal)
    assert [each.path for each in found] == wrong
