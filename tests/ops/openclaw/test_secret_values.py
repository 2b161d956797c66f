"""Secrets of OpenClaw: references stay references."""

from __future__ import annotations

from typing import Any

import pytest

from ops.openclaw.draft import Draft, FieldPlace
from ops.openclaw.secret_values import copy_secret, copy_secret_file
from ops.openclaw.variables import Variables

PROVIDERS = {
    "one": {"source": "file", "path": "/run/one", "mode": "singleValue"},
    "json": {"source": "file", "path": "/run/json", "mode": "json"},
    "vault": {"source": "exec", "command": "/bin/vault"},
}
VARIABLES = Variables({"SET": "s3cret"}, {"DOTENV": "hidden"}, {"INLINE": "inl1ne"})
ENV = {"source": "env", "id": "SET"}


def made(value: Any) -> tuple[Any, Draft]:
    draft = Draft(VARIABLES, PROVIDERS)
    copy_secret(draft, FieldPlace("here", (), "token"), ("token",), value)
    return draft.value(("token",)), draft


@pytest.mark.parametrize(
    ("value", "kept", "group"),
    [
        ("plain", "plain", "taken"),
        ("$${SET}", "${SET}", "taken"),
        ("${SET}", ENV, "changed"),
        ("$SET", ENV, "changed"),
        ("${NOT_HERE}", {"source": "env", "id": "NOT_HERE"}, "changed"),
        ("${INLINE}", "inl1ne", "changed"),
        ("pre-${SET}", "pre-s3cret", "changed"),
        ({**ENV, "provider": "default"}, ENV, "changed"),
        ({"source": "env", "provider": "default", "id": "INLINE"}, "inl1ne", "changed"),
        (
            {"source": "file", "provider": "one", "id": "value"},
            {"source": "file", "id": "/run/one"},
            "changed",
        ),
    ],
)
def test_a_secret_is_translated(value: Any, kept: Any, group: str) -> None:
    found, draft = made(value)
    assert found == kept
    assert [note.group for note in draft.notes] == [group]
    assert not any(hidden in str(draft.notes) for hidden in ("s3cret", "inl1ne", "hidden"))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"source": "file", "provider": "json", "id": "/a"}, "one value inside a JSON file"),
        ({"source": "exec", "provider": "vault", "id": "a"}, "protocol"),
        ({"source": "store", "provider": "default", "id": "A"}, "own store"),
        ({"source": "file", "provider": "none", "id": "value"}, "'none'"),
        ({"source": "env", "provider": "default"}, "its id is missing"),
        ("pre-${NOT_HERE}", "NOT_HERE"),
        ("__OPENCLAW_REDACTED__", "hidden"),
        (7, "is not a secret"),
        ("", "is not a secret"),
        ([], "is not a secret"),
    ],
)
def test_a_secret_that_cannot_be_carried_is_left_with_the_reason(value: Any, why: str) -> None:
    found, draft = made(value)
    assert found is None
    assert [note.group for note in draft.notes] == ["left"]
    assert why in draft.notes[0].reason


def test_a_variable_of_the_dotenv_file_is_named() -> None:
    found, draft = made("${DOTENV}")
    assert found == {"source": "env", "id": "DOTENV"}
    assert ".env" in draft.notes[0].reason


def test_a_file_of_a_secret_is_referred_to() -> None:
    draft = Draft(VARIABLES)
    place = FieldPlace("here", (), "tokenFile")
    copy_secret_file(draft, place, ("token",), "/run/token")
    assert draft.config == {"token": {"source": "file", "id": "/run/token"}}
    copy_secret_file(draft, place, ("token",), "/run/other")
    copy_secret_file(draft, place, ("other",), "relative")
    assert [note.group for note in draft.notes] == ["changed", "left", "left"]
