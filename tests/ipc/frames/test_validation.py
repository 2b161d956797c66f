"""The wording of refusals, as the real gateway words them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from ipc.frames.validation import explain


class Inner(Struct, forbid_unknown_fields=True):
    id: Literal["cli", "test"]
    mode: Annotated[str, Meta(min_length=1, max_length=3, pattern="^x")] = "x"


class Outer(Struct, forbid_unknown_fields=True, rename="camel"):
    min_protocol: Annotated[int, Meta(ge=1, le=9)]
    client: Inner | None = None
    names: Annotated[list[str], Meta(max_length=2)] = []
    all: list[Inner] = []
    flags: dict[str, bool] = {}
    share: Annotated[float, Meta(gt=0)] = 1.0
    extra: Annotated[dict[str, Any], Meta(max_length=1)] = {}


TABLE = {
    "{}": "must have required property 'minProtocol'",
    '{"minProtocol":1,"client":{}}': "at /client: must have required property 'id'",
    '{"minProtocol":1,"bogus":1}': "at root: unexpected property 'bogus'",
    '{"minProtocol":1,"a`b":1}': "at root: unexpected property 'a`b'",
    '{"minProtocol":1,"client":{"id":"cli","x":1}}': "at /client: unexpected property 'x'",
    '{"minProtocol":0}': "at /minProtocol: must be >= 1",
    '{"minProtocol":10}': "at /minProtocol: must be <= 9",
    '{"minProtocol":1,"share":0}': "at /share: must be > 0.0",
    '{"minProtocol":"1"}': "at /minProtocol: must be integer",
    '{"minProtocol":1,"client":1}': "at /client: must be object,null",
    '{"minProtocol":1,"client":{"id":"x"}}': (
        "at /client/id: must be equal to one of the allowed values"
    ),
    '{"minProtocol":1,"client":{"id":"cli","mode":""}}': (
        "at /client/mode: must NOT have fewer than 1 characters"
    ),
    '{"minProtocol":1,"client":{"id":"cli","mode":"xxxx"}}': (
        "at /client/mode: must NOT have more than 3 characters"
    ),
    '{"minProtocol":1,"client":{"id":"cli","mode":"y"}}': (
        'at /client/mode: must match pattern "^x"'
    ),
    '{"minProtocol":1,"names":["a","b","c"]}': "at /names: must NOT have more than 2 items",
    '{"minProtocol":1,"names":["a",1]}': "at /names/1: must be string",
    '{"minProtocol":1,"all":[{"id":"x"}]}': (
        "at /all/0/id: must be equal to one of the allowed values"
    ),
    '{"minProtocol":1,"flags":{"a":1}}': "at /flags/*: must be boolean",
    '{"minProtocol":1,"extra":{"a":1,"b":1}}': "at /extra: must NOT have more than 1 properties",
    "[]": "at root: must be object",
}


@pytest.mark.parametrize("text", TABLE)
def test_an_error_names_the_place_and_the_problem(text: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(text, type=Outer)
    assert explain(caught.value) == TABLE[text]


def test_wording_that_is_not_known_is_passed_on() -> None:
    assert explain(msgspec.ValidationError("something new")) == "at root: something new"
