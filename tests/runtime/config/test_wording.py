"""Types and values are named in an operator's words."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta

from runtime.config.wording import allowed, known_names, shown, unknown
from tests.runtime.config.example import Login
from workers.secrets import SecretRef


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (bool, "true or false"),
        (int, "an integer"),
        (Annotated[int, Meta(ge=1, le=9)], "an integer from 1 to 9"),
        (Annotated[float, Meta(gt=0, lt=1.5)], "a number of more than 0 and less than 1.5"),
        (Annotated[float, Meta(ge=0)], "a number of at least 0"),
        (Annotated[float, Meta(le=5)], "a number of at most 5"),
        (str, "a string"),
        (Annotated[str, Meta(min_length=1)], "a string of at least 1 characters"),
        (Annotated[str, Meta(max_length=9)], "a string of at most 9 characters"),
        (Annotated[str, Meta(min_length=1, max_length=9)], "a string of 1 to 9 characters"),
        (Annotated[str, Meta(pattern="^a")], "a string that matches ^a"),
        (Literal["a", "b"] | None, '"a" | "b"'),
        (Colour, '"red" | "blue"'),
        (list[int], "a list of: an integer"),
        (dict[str, int], "an object"),
        (Login, "an object with user, password"),
        (
            str | SecretRef,
            'a string, or a reference {source: "env" | "file" | "exec" | "credential", id: "..."}',
        ),
        (bytes, "bytes"),
        (Annotated[int, Meta(extra={"x": 1})], "an integer"),
    ],
)
def test_a_type_is_described_in_words(form: Any, words: str) -> None:
    assert allowed(form) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        (True, "true"),
        (5, "5"),
        (2.5, "2.5"),
        (10**400, "a very large number"),
        ("secret", "a string"),
        ("", "an empty string"),
        ([1], "a list"),
        ({"a": 1}, "an object"),
        (b"x", "a bytes"),
    ],
)
def test_a_wrong_value_is_described_in_words(value: object, words: str) -> None:
    assert shown(value) == words


def test_a_misspelt_word_is_shown_where_words_are_fixed() -> None:
    assert shown("hybird", Literal["hybrid"]) == "'hybird'"
    assert len(shown("x" * 1000, Literal["hybrid"])) < 50


def test_an_unknown_name_is_told_what_there_is() -> None:
    assert unknown("prot", ["port", "bind"]) == (
        "unknown field (did you mean port?); allowed: bind, port"
    )
    assert unknown("zzz", [], "channel") == "unknown channel; allowed: none"


def test_what_is_near_an_unknown_account_is_suggested() -> None:
    few = ["irc:libera", "irc:oftc"]
    assert (
        known_names("irc:libra", few) == " (did you mean irc:libera?); known: irc:libera, irc:oftc"
    )
    assert known_names("irk", few).startswith(" (did you mean irc?)")
    assert known_names("libra", few).startswith(" (did you mean irc:libera?)")
    assert known_names("icr:libera", few).startswith(" (did you mean irc:libera?)")
    assert known_names("irc:x", few) == "; known: irc:libera, irc:oftc"
    assert known_names("xyz", []) == "; known: none"
    assert known_names("", ["libera", "oftc"]) == "; known: libera, oftc"
    assert known_names("irc:libera" * 1_000_000, few) == "; known: irc:libera, irc:oftc"
    many = [f"irc:{number}" for number in range(500)]
    assert known_names("xyz", many) == "; there are 500, see `trunkline channels list`"
    assert known_names("xyz", many, "agents list").endswith("see `trunkline agents list`")
