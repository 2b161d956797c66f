"""The rules by which fields are carried."""

from __future__ import annotations

from typing import Any

import pytest

from ops.openclaw.draft import Draft
from ops.openclaw.rules import (
    Rules,
    at,
    carry,
    fixed,
    flattened,
    nested,
    omitted,
    same,
    secret,
    secret_file,
    words,
)
from ops.openclaw.variables import Variables
from tests.support.translated import shown

RULES: Rules = {
    "a": same(),
    "b": same("c"),
    "deep": same("x", "y"),
    "top": at("elsewhere", "d"),
    "no": omitted("never"),
    "one": fixed(lambda value: value == 1, "is one", "is not one"),
    "word": words({"new": "fresh", "old": "old", True: "fresh"}, "another word"),
    "in": nested({"a": same()}),
    "flat": flattened({"e": same()}),
    "key": secret(),
    "keyFile": secret_file("key"),
}


@pytest.mark.parametrize(
    ("value", "config", "group", "path"),
    [
        ({"a": 1}, {"o": {"a": 1}}, "taken", "s.a"),
        ({"b": 1}, {"o": {"c": 1}}, "taken", "s.b"),
        ({"deep": 1}, {"o": {"x": {"y": 1}}}, "taken", "s.deep"),
        ({"top": 1}, {"elsewhere": {"d": 1}}, "taken", "s.top"),
        ({"no": 1}, {}, "left", "s.no"),
        ({"one": 1}, {}, "taken", "s.one"),
        ({"one": 2}, {}, "left", "s.one"),
        ({"word": "new"}, {"o": {"word": "fresh"}}, "changed", "s.word"),
        ({"word": "old"}, {"o": {"word": "old"}}, "taken", "s.word"),
        ({"word": True}, {"o": {"word": "fresh"}}, "changed", "s.word"),
        ({"word": "other"}, {}, "left", "s.word"),
        ({"word": [1]}, {}, "left", "s.word"),
        ({"in": {"a": 1}}, {"o": {"in": {"a": 1}}}, "taken", "s.in.a"),
        ({"in": {"b": 1}}, {}, "left", "s.in.b"),
        ({"in": 1}, {}, "left", "s.in"),
        ({"in": {}}, {}, "left", "s.in"),
        ({"flat": {"e": 1}}, {"o": {"e": 1}}, "taken", "s.flat.e"),
        ({"flat": [1]}, {}, "left", "s.flat"),
        ({"key": "k"}, {"o": {"key": "k"}}, "taken", "s.key"),
        ({"keyFile": "/k"}, {"o": {"key": {"source": "file", "id": "/k"}}}, "changed", "s.keyFile"),
        ({"unknown": 1}, {}, "left", "s.unknown"),
        ([1], {}, "left", "s"),
        ({}, {}, "left", "s"),
    ],
)
def test_a_rule_carries_its_field(value: Any, config: Any, group: str, path: str) -> None:
    draft = Draft(Variables())
    carry(draft, "s", ("o",), value, RULES)
    assert draft.config == config
    assert list(getattr(shown(draft), group)) == [path]
    assert len(draft.notes) == 1
