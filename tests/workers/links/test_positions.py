"""What becomes of a cursor: stored with a message, by a mark, for an identity."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.frames.data import Mark
from workers.links.positions import Positions


def durable() -> Positions:
    positions = Positions()
    positions.on_welcome(True, 1)
    return positions


def test_one_mark_is_on_its_way_and_the_newest_waits() -> None:
    positions = durable()
    assert positions.next_mark() is None
    positions.mark(b"1", 0)
    assert positions.next_mark() == Mark(1, 0, b"1")
    positions.mark(b"2", 4)
    positions.mark(b"3", 5)
    assert positions.next_mark() is None
    assert positions.ack(1)
    assert not positions.idle
    assert positions.next_mark() == Mark(3, 5, b"3")
    assert positions.ack(3)
    assert positions.idle
    assert positions.stored == b"3"


def test_a_mark_is_sent_again_until_it_is_acknowledged() -> None:
    positions = durable()
    positions.mark(b"1", 0)
    assert positions.next_mark() == Mark(1, 0, b"1")
    positions.resend()
    assert positions.next_mark() == Mark(1, 0, b"1")
    positions.ack(1)
    positions.resend()
    assert positions.next_mark() is None


def test_a_newer_mark_takes_the_place_of_one_that_is_to_be_sent_again() -> None:
    positions = durable()
    positions.mark(b"1", 0)
    positions.next_mark()
    positions.mark(b"2", 0)
    positions.resend()
    assert positions.next_mark() == Mark(2, 0, b"2")


def test_an_acknowledgement_of_a_mark_that_is_not_on_its_way_is_none() -> None:
    positions = durable()
    assert not positions.ack(1)
    positions.mark(b"1", 0)
    assert not positions.ack(1)
    positions.next_mark()
    assert not positions.ack(0)
    assert positions.ack(7)
    assert positions.acked == 1


@pytest.mark.parametrize(
    ("after", "seq", "stored"),
    [(3, 4, b"message"), (4, 4, b"mark"), (5, 4, b"mark")],
    ids=["the message is newer", "the mark comes after it", "the mark is newer"],
)
@pytest.mark.parametrize("mark_first", [True, False])
def test_the_cursor_is_the_one_that_is_furthest(
    after: int, seq: int, stored: bytes, mark_first: bool
) -> None:
    positions = durable()
    positions.mark(b"mark", after)
    positions.next_mark()
    steps: list[Callable[[], object]] = [
        lambda: positions.ack(1),
        lambda: positions.on_message_ack(b"message", seq),
    ]
    for step in steps if mark_first else reversed(steps):
        step()
    assert positions.stored == stored


def test_without_a_journal_nothing_is_stored() -> None:
    positions = Positions()
    positions.on_message_ack(b"1", 1)
    positions.mark(b"2", 1)
    positions.next_mark()
    assert positions.ack(1)
    assert positions.stored == b""
    assert not positions.is_durable(1)


def test_what_was_acknowledged_before_the_journal_was_on_is_not_durable() -> None:
    positions = Positions()
    positions.on_welcome(True, 5)
    assert [positions.is_durable(seq) for seq in (4, 5)] == [False, True]
    positions.on_welcome(True, 9)  # the same gateway, welcoming again
    assert positions.is_durable(5)
    positions.on_welcome(False, 9)
    assert not positions.is_durable(5)


@pytest.mark.parametrize(
    ("stored_for", "named", "kept"),
    [("", "bot-1", True), ("bot-1", "bot-1", True), ("bot-1", "bot-2", False)],
    ids=["never named", "the same", "another"],
)
@pytest.mark.parametrize("named_first", [True, False])
def test_a_cursor_belongs_to_an_identity(
    stored_for: str, named: str, kept: bool, named_first: bool
) -> None:
    positions = durable()
    if named_first:
        positions.identify(named)
        positions.restore(b"7", stored_for)
    else:
        positions.restore(b"7", stored_for)
        assert positions.identify(named) is not kept
    assert positions.stored == (b"7" if kept else b"")
    assert positions.named == named


@given(st.lists(st.sampled_from(["mark", "next_mark", "ack", "resend"]), max_size=60))
def test_the_newest_mark_is_stored_in_the_end(steps: list[str]) -> None:
    positions = durable()
    for step in steps:
        if step == "mark":
            positions.mark(b"%d" % (positions.marked + 1), 0)
        elif step == "ack":
            positions.ack(positions.marked)
        else:
            getattr(positions, step)()
    while (mark := positions.next_mark()) or not positions.idle:
        positions.ack(mark.id if mark else positions.marked)
    assert positions.stored == (b"%d" % positions.marked if positions.marked else b"")
