"""What is typed on the command line becomes what the field is."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.config.edit.typed import typed
from tests.runtime.config.example import known

REFERENCE = {"source": "env", "id": "P"}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("server", "5", "5"),
        ("server", "[::1]", "[::1]"),
        ("server", "{x}", "{x}"),
        ("server", "", ""),
        ("port", "7", 7),
        ("port", "70000", 70000),  # out of range: the check of the file says so
        ("port", "x", "x"),
        ("tls", "false", False),
        ("tls", "maybe", "maybe"),
        ("pingSeconds", "2.5", 2.5),
        ("pingSeconds", "2", 2),
        ("style", "rich", "rich"),
        ("style", "fat", "fat"),
        ("rooms", "#a,#b, #c", ["#a", "#b", "#c"]),
        ("rooms", "", []),
        ("rooms", "['#a,b']", ["#a,b"]),
        ("rooms", "[#a", "[#a"),
        ("rooms", f"[0x{'f' * 5000}]", f"[0x{'f' * 5000}]"),  # no file could hold it
        ("labels", "{a: 1}", {"a": 1}),
        ("password", "hunter2", "hunter2"),
        ("password", "{source: 'env', id: 'P'}", REFERENCE),
        ("signin.password", "{source: 'env', id: 'P'}", {"password": REFERENCE}),
        ("signin.user", "u", {"user": "u"}),
        ("enabled", "false", False),
        ("restart.factor", "3", {"factor": 3}),
        ("unknown", "5", "5"),
        ("unknown.deep", "5", {"deep": "5"}),
    ],
)
def test_a_field_gets_the_type_it_has(name: str, text: str, value: Any) -> None:
    assert typed(known()["talk"].manifest, {name: text}) == {name.split(".")[0]: value}


def test_fields_of_the_same_object_come_together() -> None:
    fields = {"signin.user": "u", "signin.password": "p"}
    assert typed(known()["talk"].manifest, fields) == {"signin": {"user": "u", "password": "p"}}


def test_what_contradicts_itself_is_left_to_the_check() -> None:
    fields = {"signin": "x", "signin.user": "u"}
    assert typed(known()["talk"].manifest, fields) == {"signin": {"user": "u"}}
