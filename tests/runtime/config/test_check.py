"""Every mistake of a value is found, at its place; whole files are in ``test_load``."""

from __future__ import annotations

import math
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from runtime.config.check import account_problems, members, not_finite, problems, unknown_fields
from tests.runtime.config.example import Fields, Login
from workers.secrets import SecretRef

SECRETS = {"password", "signin.password"}


class Deep(msgspec.Struct, forbid_unknown_fields=True):
    logins: dict[str, Login] = {}
    rows: list[Login] = []
    either: Login | str | None = None


def paths(found: list[Any]) -> list[str]:
    return [problem.path for problem in found]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, []),
        ({"either": "x", "logins": {"a": {"user": "u", "password": "p"}}}, []),
        (
            {"logins": {"a": {"user": 1}, "b": {"x": 1}}},
            [
                "top.logins.a.user",
                "top.logins.a.password",
                "top.logins.b.x",
                "top.logins.b.user",
                "top.logins.b.password",
            ],
        ),
        ({"rows": [{"user": "u", "password": "p"}, {"user": "u"}]}, ["top.rows[1].password"]),
        ({"either": {"user": 5, "password": "p"}}, ["top.either.user"]),
        ({"either": 5}, ["top.either"]),
        ([], ["top"]),
    ],
)
def test_all_mistakes_are_found_where_they_are(value: object, expected: list[str]) -> None:
    assert paths(problems(value, Deep, "top")) == expected


def test_a_rule_of_the_struct_is_told_in_its_own_words() -> None:
    (problem,) = problems({"server": "s", "port": 6667}, Fields, "a")
    assert str(problem) == "a: port 6667 speaks no TLS"


def test_an_account_may_lack_what_is_required_and_refer_to_secrets() -> None:
    assert account_problems({}, Fields, SECRETS, "a") == []
    reference = {"source": "env", "id": "P"}
    fields = {"server": "", "password": reference, "signin": {"user": "u", "password": reference}}
    assert account_problems(fields, Fields, SECRETS, "a") == []
    assert problems(fields, Fields, "a") != []


@pytest.mark.parametrize(
    ("fields", "path", "words"),
    [
        ({"password": {"source": "env"}}, "a.password.id", "is missing"),
        ({"password": 5}, "a.password", "or a reference"),
        ({"server": {"source": "env", "id": "P"}}, "a.server", "is an object"),
        ({"signin": {"user": "u", "password": 5}}, "a.signin.password", "or a reference"),
        ({"signin": {"user": 5, "password": "p"}}, "a.signin.user", "is 5"),
    ],
)
def test_only_a_secret_may_be_a_reference(fields: dict[str, Any], path: str, words: str) -> None:
    (problem,) = account_problems(fields, Fields, SECRETS, "a")
    assert problem.path == path
    assert words in problem.text


def test_unknown_fields_are_found_at_any_depth_without_a_look_at_values() -> None:
    value = {
        "logins": {"a": {"user": 1, "pasword": 2}},
        "rows": [{}, {"usr": math.nan}, "no login"],
        "either": {"user": {"not": "checked"}},
        "rovs": [],
    }
    found = list(unknown_fields(value, Deep, "top"))
    assert paths(found) == ["top.logins.a.pasword", "top.rows[1].usr", "top.rovs"]
    assert found[0].text == "unknown field (did you mean password?); allowed: password, user"


def test_numbers_that_are_none_are_found_at_any_depth() -> None:
    value = {"a": [1.5, {"b": math.nan}], "c": -math.inf, "d": "nan"}
    assert paths(list(not_finite(value))) == ["a[1].b", "c"]


def test_integers_that_could_not_be_printed_are_found_at_any_depth() -> None:
    value = {"a": [2**1023, -(16**5000)], "b": 16**5000, "c": True}
    assert paths(list(not_finite(value))) == ["a[1]", "b"]


def test_the_members_of_a_union_have_no_annotations() -> None:
    limited = Annotated[int, Meta(ge=1)]
    assert members(limited) == (int,)
    assert members(limited | SecretRef | None) == (int, SecretRef, type(None))
