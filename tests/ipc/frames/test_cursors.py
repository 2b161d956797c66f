"""Where a client stands in each account, and what it notices as missing."""

from __future__ import annotations

import msgspec
import pytest

from ipc.errors import FrameError
from ipc.frames.cursors import Cursors, parse_cursor


def at(cursor: str, account: str = "irc:a") -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode({"account": account, "cursor": cursor, "text": "…"}))


@pytest.mark.parametrize("text", ["", "1", "1:", ":1", "a:b", "1:-1", "1:2:3", "\u0661:1"])
def test_what_is_no_cursor(text: str) -> None:
    with pytest.raises(FrameError, match="not a cursor"):
        parse_cursor(text)


def test_a_cursor() -> None:
    assert parse_cursor("1048577:42") == (1048577, 42)


def test_messages_in_order_are_new_and_complete() -> None:
    cursors = Cursors()
    for cursor in ("5:7", "5:8", "9:1", "9:2"):
        assert cursors.take(at(cursor)) == (True, None)
    assert cursors.resume() == {"irc:a": "9:2"}


def test_a_message_that_comes_again_is_not_new() -> None:
    cursors = Cursors()
    cursors.take(at("5:8"))
    assert cursors.take(at("5:8")) == (False, None)
    assert cursors.take(at("5:7")) == (False, None)
    assert cursors.take(at("5:7", "irc:b")) == (True, None)


def test_a_jump_within_an_incarnation_is_a_gap() -> None:
    cursors = Cursors()
    cursors.take(at("5:8"))
    gap = {"account": "irc:a", "after": "5:8", "next": "5:11"}
    assert cursors.take(at("5:11")) == (True, gap)


def test_what_the_gateway_has_told_is_no_gap_of_ours() -> None:
    cursors = Cursors()
    cursors.take(at("5:8"))
    cursors.forget(at("5:8"))
    cursors.forget(msgspec.Raw(b"[]"))
    assert cursors.take(at("5:11")) == (True, None)


def test_a_house_that_counts_anew_is_followed() -> None:
    cursors = Cursors()
    cursors.take(at("1048577:8"))
    assert cursors.take(at("7:1")) == (True, None)
    assert cursors.resume() == {"irc:a": "7:1"}


@pytest.mark.parametrize("payload", [b"[]", b"{}", b'{"account":1}', b'{"cursor":"x"}'])
def test_an_event_without_a_cursor_is_refused(payload: bytes) -> None:
    with pytest.raises(FrameError):
        Cursors().take(msgspec.Raw(payload))


@pytest.mark.parametrize(
    ("cursor", "skips", "gap"),
    [
        ("5:10", [9], False),
        ("5:13", [[9, 12]], False),
        ("5:13", [9, [10, 11], 12], False),
        ("5:13", [[7, 12]], False),
        ("5:13", [[10, 12]], True),
        ("5:13", [[9, 11]], True),
        ("9:3", [1, 2], False),
    ],
)
def test_numbers_that_an_event_skips_are_not_missing(
    cursor: str, skips: list[object], gap: bool
) -> None:
    cursors = Cursors()
    cursors.take(at("5:8"))
    event = {"account": "irc:a", "cursor": cursor, "skips": skips}
    new, missing = cursors.take(msgspec.Raw(msgspec.json.encode(event)))
    assert new
    assert (missing is not None) == gap
