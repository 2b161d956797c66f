"""Where a client stands in each account, and what it notices as missing."""

from __future__ import annotations

import msgspec
import pytest

from ipc.errors import FrameError
from ipc.frames.cursors import BEGINNING, MAX_PART, Cursors, has_all_after, parse_cursor


def at(cursor: str, account: str = "irc:a") -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode({"account": account, "cursor": cursor, "text": "…"}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1:",
        ":1",
        "a:b",
        "1:-1",
        "1:2:3",
        "\u0661:1",
        f"{1 << 63}:1",
        f"1:{1 << 63}",
        "1:" + "9" * 5000,
    ],
)
def test_a_malformed_cursor_is_refused(text: str) -> None:
    with pytest.raises(FrameError, match="not a cursor"):
        parse_cursor(text)


def test_a_cursor_is_parsed() -> None:
    assert parse_cursor("1048577:42") == (1048577, 42)
    assert parse_cursor(f"{MAX_PART}:{MAX_PART}") == (MAX_PART, MAX_PART)


def test_messages_in_order_are_new_and_complete() -> None:
    cursors = Cursors()
    for cursor in ("5:7", "5:8", "9:1", "9:2"):
        assert cursors.apply(at(cursor)) == (True, None)
    assert cursors.params() == {"irc:a": "9:2"}


def test_a_message_that_comes_again_is_not_new() -> None:
    cursors = Cursors()
    cursors.apply(at("5:8"))
    assert cursors.apply(at("5:8")) == (False, None)
    assert cursors.apply(at("5:7")) == (False, None)
    assert cursors.apply(at("5:7", "irc:b")) == (True, None)


def test_a_jump_within_an_incarnation_is_a_gap() -> None:
    cursors = Cursors()
    cursors.apply(at("5:8"))
    gap = {"account": "irc:a", "after": "5:8", "next": "5:11"}
    assert cursors.apply(at("5:11")) == (True, gap)


def test_what_the_gateway_has_told_is_no_gap_of_ours() -> None:
    cursors = Cursors()
    cursors.apply(at("5:8"))
    cursors.on_gap(at("5:8"))
    cursors.on_gap(msgspec.Raw(b"[]"))
    assert cursors.params() == {"irc:a": "5:8"}, "the connection may be lost before the next event"
    assert cursors.apply(at("5:11")) == (True, None)
    assert cursors.apply(at("5:11")) == (False, None)


def test_after_a_gap_that_was_told_a_lower_number_may_follow() -> None:
    cursors = Cursors()
    cursors.apply(at("5:8"))
    cursors.on_gap(at("5:8"))
    assert cursors.apply(at("5:2")) == (True, None)


@pytest.mark.parametrize(
    ("seen", "gap", "came", "position", "resumes"),
    [
        pytest.param(None, False, None, "5:8", "5:8", id="no event of the account yet"),
        pytest.param("5:8", False, None, "5:9", "5:9", id="numbers that no event has"),
        pytest.param("5:8", False, None, "9:0", "9:0", id="a later incarnation"),
        pytest.param("5:8", False, None, "5:6", "5:8", id="the gateway has less of it yet"),
        pytest.param("5:8", True, None, "5:6", "5:6", id="it has told that it has less"),
        pytest.param("5:8", False, None, "2:3", "2:3", id="it counts anew"),
        pytest.param("5:8", False, "9:1", "5:8", "9:1", id="something newer has come since"),
        pytest.param(None, False, "9:1", "5:8", "9:1", id="the first one has come since"),
        pytest.param("5:8", False, None, "soon", "5:8", id="not a cursor"),
    ],
)
def test_where_a_subscription_begins(
    seen: str | None, gap: bool, came: str | None, position: str, resumes: str
) -> None:
    cursors = Cursors()
    if seen is not None:
        cursors.apply(at(seen))
    if gap:
        cursors.on_gap(at("0:0"))
    asked = cursors.params()
    if came is not None:
        cursors.apply(at(came))
    cursors.on_subscribed({"irc:a": position}, asked)
    assert cursors.params() == {"irc:a": resumes}


def test_a_gateway_that_names_no_positions_changes_nothing() -> None:
    cursors = Cursors()
    cursors.on_subscribed(None, {})
    assert cursors.params() == {}


@pytest.mark.parametrize(
    ("floor", "cursor", "all_of_it"),
    [
        ((5, 0), (5, 0), True),
        ((5, 0), (9, 2), True),
        ((5, 1), (5, 0), False),
        ((9, 0), (5, 7), False),
        (None, (5, 7), False),
        (None, BEGINNING, True),
        ((5, 0), BEGINNING, True),
        ((5, 3), BEGINNING, False),
    ],
)
def test_what_is_complete_after_a_cursor(
    floor: tuple[int, int] | None, cursor: tuple[int, int], all_of_it: bool
) -> None:
    assert has_all_after(floor, cursor) is all_of_it


def test_a_house_that_counts_anew_is_followed() -> None:
    cursors = Cursors()
    cursors.apply(at("1048577:8"))
    assert cursors.apply(at("7:1")) == (True, None)
    assert cursors.params() == {"irc:a": "7:1"}


@pytest.mark.parametrize("payload", [b"[]", b"{}", b'{"account":1}', b'{"cursor":"x"}'])
def test_an_event_without_a_cursor_is_refused(payload: bytes) -> None:
    with pytest.raises(FrameError):
        Cursors().apply(msgspec.Raw(payload))


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
    cursors.apply(at("5:8"))
    event = {"account": "irc:a", "cursor": cursor, "skips": skips}
    new, missing = cursors.apply(msgspec.Raw(msgspec.json.encode(event)))
    assert new
    assert (missing is not None) == gap
