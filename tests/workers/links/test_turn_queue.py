"""What turns send has numbers, is kept until acknowledged, and shares the packs fairly."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.frames.data import PACK_BYTES, TurnEnded, TurnEvents, TurnTaken
from tests.support.turns import events_of
from workers.agent import Delta, Notice
from workers.links.turn_queue import CREDIT_BYTES, JOINED_CHARS, SHARE_BYTES, TurnLog, TurnQueue


def filled(*payloads: bytes, ended: bool = False) -> TurnLog:
    log = TurnLog("r")
    for payload in payloads:
        log.append(payload)
    if ended:
        log.end(b"end")
    return log


def test_events_are_numbered_and_the_end_follows_the_last() -> None:
    log = filled(b"a", b"b", ended=True)
    log.taken = True
    assert log.next_frames(100) == (
        [TurnTaken("r", 0), TurnEvents("r", 1, [b"a", b"b"]), TurnEnded("r", 3, b"end")],
        5,
    )
    assert not log.waiting
    assert log.next_frames(100) == ([], 0)


def test_an_end_alone_has_the_number_one() -> None:
    assert filled(ended=True).next_frames(100) == ([TurnEnded("r", 1, b"end")], 3)


def test_nothing_can_be_added_after_the_end() -> None:
    log = filled(ended=True)
    for more in (log.append, log.end):
        with pytest.raises(ValueError, match="has ended"):
            more(b"x")


@pytest.mark.parametrize(
    ("after", "again"), [(0, [b"b", b"c"]), (1, [b"b", b"c"]), (2, [b"c"]), (3, []), (9, [])]
)
def test_what_is_not_acknowledged_is_sent_again_from_where_it_is_missing(
    after: int, again: list[bytes]
) -> None:
    log = filled(b"a", b"b", b"c")
    log.next_frames(100)
    assert log.ack(1)
    log.rewind(after)
    frames, _ = log.next_frames(100)
    assert [p for f in frames if isinstance(f, TurnEvents) for p in f.payloads] == again


def test_an_acknowledgement_frees_room_and_one_of_the_end_ends_it() -> None:
    log = filled(bytes(CREDIT_BYTES // 2), bytes(CREDIT_BYTES // 2))
    assert not log.has_room
    assert log.ack(1)
    assert log.has_room
    assert not log.ack(1), "twice"
    assert not log.ack(0)
    log.end(b"end")
    assert log.ack(2)
    assert not log.over
    assert log.ack(99), "no more than there is"
    assert (log.over, log.acked, log.unacked_bytes) == (True, 3, 0)


def test_what_was_acknowledged_before_it_was_sent_is_not_sent() -> None:
    log = filled(b"a", b"b")
    log.ack(1)
    assert log.next_frames(100) == ([TurnEvents("r", 2, [b"b"])], 1)


def test_a_log_may_begin_after_what_an_earlier_process_has_sent() -> None:
    log = TurnLog("r", 4)
    log.end(b"end")
    assert log.next_frames(9) == ([TurnEnded("r", 5, b"end")], 3)


def sent_by(log: TurnLog) -> list[Any]:
    frames, _ = log.next_frames(10**6)
    return [e for f in frames if isinstance(f, TurnEvents) for e in events_of(f.payloads)]


def test_text_that_comes_while_some_is_on_its_way_is_one_event() -> None:
    log = TurnLog("r")
    log.add_text("first")
    assert log.waiting
    assert sent_by(log) == [Delta("first")], "at once"
    for piece in ("a", "b", "c"):
        log.add_text(piece)
        assert not log.waiting
    assert sent_by(log) == []
    log.ack(1)
    assert log.waiting
    assert sent_by(log) == [Delta("abc")]
    assert log.last == 2


def test_text_does_not_wait_where_it_is_long_or_something_follows() -> None:
    log = TurnLog("r")
    log.add_text("first")
    sent_by(log)
    for _ in range(3):
        log.add_text("x" * (JOINED_CHARS // 2))
    assert sent_by(log) == [Delta("x" * JOINED_CHARS)]
    log.append(b'{"type": "notice", "text": "n"}')
    *_, text, notice = sent_by(log)
    assert (text, getattr(notice, "text", "")) == (Delta("x" * (JOINED_CHARS // 2)), "n")
    log.add_text("last")
    log.end(b"end")
    frames, _ = log.next_frames(100)
    assert [type(frame) for frame in frames] == [TurnEvents, TurnEnded]
    with pytest.raises(ValueError, match="has ended"):
        log.add_text("more")


def test_what_was_sent_is_the_same_when_it_is_sent_again() -> None:
    log = TurnLog("r")
    log.add_text("a")
    sent_by(log)
    log.add_text("b")
    log.rewind(0)
    assert sent_by(log) == [Delta("a")], "its number has this content"


def queue_of(**logs: list[bytes]) -> TurnQueue:
    queue = TurnQueue()
    for name, payloads in logs.items():
        log = queue.open(name)
        for payload in payloads:
            log.append(payload)
        queue.schedule(log)
    return queue


def test_a_flood_takes_its_share_of_a_pack_and_no_more() -> None:
    flood = [bytes(1000)] * 60
    queue = queue_of(flood=flood, calm=[b"hello"])
    first, second, *rest = queue.next_pack()
    assert isinstance(first, TurnEvents)
    assert first.turn == "flood"
    assert sum(map(len, first.payloads)) <= SHARE_BYTES
    assert second == TurnEvents("calm", 1, [b"hello"])
    assert {frame.turn for frame in rest} == {"flood"}


def test_a_pack_is_bounded_and_a_large_payload_begins_the_next() -> None:
    queue = queue_of(small=[b"x"], large=[bytes(PACK_BYTES)], other=[b"y"])
    assert [frame.turn for frame in queue.next_pack()] == ["small"]
    assert [frame.turn for frame in queue.next_pack()] == ["large"]
    assert [frame.turn for frame in queue.next_pack()] == ["other"]
    assert queue.next_pack() == []


def test_what_could_not_be_sent_goes_out_later() -> None:
    queue = queue_of(a=[b"1", b"2"], b=[b"3"])
    queue.logs["a"].taken = True
    pack = queue.next_pack()
    assert len(queue) == 0
    queue.requeue(pack)
    again = queue.next_pack()
    assert sorted(map(repr, again)) == sorted(map(repr, pack))


def test_after_a_lost_connection_everything_goes_out_again_but_what_was_acknowledged() -> None:
    queue = queue_of(a=[b"1", b"2"], b=[b"3"])
    queue.next_pack()
    queue.logs["a"].ack(1)
    queue.forget(queue.logs["b"])
    queue.resend()
    assert queue.next_pack() == [TurnEvents("a", 2, [b"2"])]
    assert queue.unacked == (1, 1)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("text"), st.text(st.characters(codec="utf-8"), max_size=9_000)),
            st.tuples(st.just("text"), st.text("ab", max_size=9)),
            st.tuples(st.just("notice"), st.integers(0, 30_000)),
            st.tuples(st.just("ack"), st.integers(0, 12)),
            st.tuples(st.just("rewind"), st.integers(0, 12)),
            st.tuples(st.just("take"), st.integers(1, 40_000)),
            st.tuples(st.just("lose"), st.just(0)),
        ),
        max_size=40,
    )
)
def test_whatever_happens_a_receiver_gets_everything_once_in_order(
    steps: list[tuple[str, Any]],
) -> None:
    queue = TurnQueue()
    log = queue.open("r")
    posted: list[Any] = []
    got: list[bytes] = []

    def receive(*, lost: bool) -> None:
        for frame in queue.next_pack():
            assert isinstance(frame, TurnEvents)
            if lost or frame.first > len(got) + 1:
                continue
            got.extend(frame.payloads[len(got) + 1 - frame.first :])

    for kind, value in steps:
        if kind == "text":
            posted.append(Delta(value))
            log.add_text(value)
            queue.schedule(log)
        elif kind == "notice":
            posted.append(Notice("n" * value))
            log.append(msgspec.json.encode(posted[-1]))
            queue.schedule(log)
        elif kind == "ack":
            log.ack(min(value, len(got)))
            queue.schedule(log)
        elif kind == "rewind":
            log.rewind(value)
            queue.schedule(log)
        else:
            receive(lost=kind == "lose")
    queue.resend()
    while queue:
        receive(lost=False)
        log.ack(len(got))
        queue.schedule(log)
    assert said(events_of(got)) == said(posted)


def said(events: list[Any]) -> list[tuple[type, str]]:
    """Return the texts of events, those of deltas that follow each other together."""
    found = list[tuple[type, str]]()
    for each in events:
        if found and found[-1][0] is type(each) is Delta:
            found[-1] = (Delta, found[-1][1] + each.text)
        elif each.text or type(each) is not Delta:
            found.append((type(each), each.text))
    return found
