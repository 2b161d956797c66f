"""What a type hides is not printed, and nothing else about it changes."""

from __future__ import annotations

import copy
import io
import pprint
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from rich.console import Console

from ipc.hidden_fields import hide_fields, hide_secrets
from workers.agent import AgentManifest
from workers.plugin import Manifest

SECRET = "orca-7"


@hide_fields("token", "extra")
class Ticket(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    token: str | None = None
    extra: dict[str, str] = {}


@hide_fields("more")
class LongTicket(Ticket, frozen=True):
    more: bytes = b""


@hide_fields("token")
@dataclass(frozen=True, slots=True)
class Options:
    name: str
    token: str = ""


def printed(value: object) -> list[str]:
    """Return everything that people use to print an object."""
    out = io.StringIO()
    Console(file=out, width=200).print(value)
    return [
        repr(value),
        str(value),
        f"{value}",
        repr([value]),
        pprint.pformat(value),
        out.getvalue(),
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Ticket("a", SECRET, {"k": SECRET}), "Ticket(name='a', token=…, extra=…)"),
        (Ticket("a"), "Ticket(name='a', token=None, extra={})"),
        (
            LongTicket("a", SECRET, more=SECRET.encode()),
            "LongTicket(name='a', token=…, extra={}, more=…)",
        ),
        (Options("a", SECRET), "Options(name='a', token=…)"),
        (Options("a"), "Options(name='a', token='')"),
    ],
)
def test_a_secret_is_printed_by_nothing_and_the_rest_is(value: object, expected: str) -> None:
    assert repr(value) == expected
    for text in printed(value):
        assert "name='a'" in text
        assert SECRET not in text


def test_what_is_encoded_and_compared_stays_the_same() -> None:
    ticket = Ticket("a", SECRET)
    assert msgspec.to_builtins(ticket) == {"name": "a", "token": SECRET, "extra": {}}
    assert msgspec.json.decode(msgspec.json.encode(ticket), type=Ticket) == ticket
    assert copy.copy(ticket) == ticket != Ticket("a", "other")
    assert Ticket.__struct_fields__ == ("name", "token", "extra")
    assert Options("a", SECRET) == Options("a", SECRET)


def test_a_name_that_is_no_field_is_refused() -> None:
    with pytest.raises(TypeError, match="Plain has no field tokens to hide"):

        @hide_fields("tokens")
        class Plain(msgspec.Struct):
            token: str


class Deep(msgspec.Struct, rename="camel"):
    password: str


class Fields(msgspec.Struct, rename="camel"):
    server: str
    bot_token: str = ""
    rooms: list[str] = []
    sign_in: Deep | None = None


def manifest_of(kind: type[Any], config: Any, secrets: Any, parts: Any) -> Any:
    code = {"plugin": "a.b:C"} if kind is Manifest else {"agent": "a.b:C"}
    return kind(id="x", label="X", config=config, secrets=secrets, secret_parts=parts, **code)


@pytest.mark.parametrize("kind", [Manifest, AgentManifest])
def test_a_manifest_hides_the_secrets_of_its_struct(kind: type[Any]) -> None:
    config = msgspec.defstruct(
        "Config",
        [("server", str), ("bot_token", str, ""), ("rooms", list[str], []), ("sign_in", Any, None)],
        rename="camel",
    )
    manifest_of(kind, config, frozenset({"botToken", "signIn.password"}), {"rooms": str.lower})
    value = config("s", SECRET, [f"#a {SECRET}"], Deep(SECRET))
    assert repr(value) == "Config(server='s', bot_token=…, rooms=…, sign_in=…)"


@pytest.mark.parametrize("config", [None, "Config", Deep("x"), int])
def test_a_manifest_with_a_wrong_struct_can_be_made(config: Any) -> None:
    manifest_of(Manifest, config, frozenset({"token"}), {})
    manifest_of(AgentManifest, config, frozenset({"token"}), {})


def test_names_that_are_no_fields_are_left_to_the_check_of_the_manifest() -> None:
    hide_secrets(Fields, ["nothing", "server.more", "botToken"])
    assert repr(Fields("s", "t")) == "Fields(server=…, bot_token=…, rooms=[], sign_in=None)"
