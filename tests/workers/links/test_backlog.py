"""The backlog over random histories: no loss, order, bounds, and marks on what may come twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ipc.frames.data import INBOUND, PACK_BYTES, PACK_FRAMES, REDELIVERED, Messages
from workers.links.backlog import FRAME_BYTES, TURN_MESSAGES, Backlog

WINDOW = 2_000


def payload(text: str) -> bytes:
    return json.dumps({"text": text}).encode()


def filled(count: int, size: int = 10, **bounds: Any) -> Backlog:
    backlog = Backlog(**bounds)
    for _ in range(count):
        backlog.append(payload("x" * size), INBOUND)
    return backlog


def seqs(pack: Messages | None) -> list[int]:
    return [] if pack is None else list(range(pack.first, pack.last + 1))


def test_numbers_start_at_one_and_have_no_gap() -> None:
    backlog = Backlog()
    assert [backlog.append(b"{}", 0) for _ in range(3)] == [1, 2, 3]
    assert backlog.oldest == 1


def test_a_pack_holds_no_more_than_it_may() -> None:
    backlog = filled(PACK_FRAMES + 1)
    assert seqs(backlog.next_pack()) == list(range(1, PACK_FRAMES + 1))
    assert seqs(backlog.next_pack()) == [PACK_FRAMES + 1]
    assert backlog.next_pack() is None


def test_a_pack_grows_until_it_is_taken() -> None:
    backlog = filled(2)
    assert seqs(backlog.next_pack()) == [1, 2]
    backlog.append(b"{}", 0)
    backlog.append(b"{}", 0)
    assert seqs(backlog.next_pack()) == [3, 4]


def test_a_pack_holds_at_most_64_kib() -> None:
    backlog = filled(4, size=30_000)
    assert seqs(backlog.next_pack()) == [1, 2]
    assert seqs(backlog.next_pack()) == [3, 4]


def test_a_message_larger_than_a_pack_goes_alone_while_others_fly() -> None:
    backlog = filled(1)
    assert seqs(backlog.next_pack()) == [1]
    backlog.append(payload("x" * 2 * PACK_BYTES), 0)
    backlog.append(payload("y"), 0)
    assert seqs(backlog.next_pack()) == [2]
    assert seqs(backlog.next_pack()) == [3]


def test_a_message_larger_than_the_window_goes_when_nothing_flies() -> None:
    backlog = Backlog(window=100)
    backlog.append(payload("small"), 0)
    backlog.append(payload("x" * 500), 0)
    assert seqs(backlog.next_pack()) == [1]
    assert backlog.next_pack() is None
    backlog.ack(1)
    assert seqs(backlog.next_pack()) == [2]


def test_the_window_bounds_what_flies() -> None:
    each = len(payload("x" * 10)) + FRAME_BYTES
    backlog = filled(10, window=3 * each)
    assert seqs(backlog.next_pack()) == [1, 2, 3]
    assert backlog.next_pack() is None
    assert backlog.unsent
    backlog.ack(2)
    assert backlog.next_pack() is None
    backlog.ack(3)
    assert seqs(backlog.next_pack()) == [4, 5, 6]


@pytest.mark.parametrize("again", [Backlog.requeue, partial(Backlog.resend, marked=False)])
def test_what_goes_back_to_wait_frees_the_window(again: Callable[[Backlog], object]) -> None:
    backlog = filled(1, window=2 * (len(payload("x" * 10)) + FRAME_BYTES))
    backlog.next_pack()
    again(backlog)
    assert seqs(backlog.next_pack()) == [1]
    backlog.append(payload("x" * 10), 0)
    assert seqs(backlog.next_pack()) == [2]


def test_a_backlog_is_full_by_count_and_by_bytes() -> None:
    assert filled(3, max_messages=3).full
    assert not filled(2, max_messages=3).full
    assert filled(2, size=500, max_bytes=1_000).full


def test_it_is_crowded_when_it_is_full_and_after_many_messages_of_one_turn() -> None:
    assert filled(3, max_messages=3).crowded
    assert not filled(2, max_messages=3).crowded
    backlog = filled(TURN_MESSAGES)
    assert (backlog.crowded, backlog.full) == (True, False)
    backlog.begin_turn()
    assert not backlog.crowded
    for _ in range(TURN_MESSAGES):
        assert not backlog.crowded
        backlog.append(b"{}", 0)
    assert backlog.crowded
    backlog.next_pack()
    backlog.ack(1)
    assert backlog.crowded  # an acknowledgement is no turn of the loop


def test_each_pack_is_announced_when_it_begins() -> None:
    begun: list[int] = []
    backlog = Backlog(on_pack=lambda: begun.append(backlog.last))
    for _ in range(PACK_FRAMES + 1):
        backlog.append(b"{}", 0)
    assert begun == [1, PACK_FRAMES + 1]
    backlog.next_pack()
    backlog.next_pack()  # it may not grow any more
    backlog.append(b"{}", 0)
    assert begun == [1, PACK_FRAMES + 1, PACK_FRAMES + 2]


def test_room_comes_back_with_acknowledgements() -> None:
    backlog = filled(3, max_messages=3)
    backlog.next_pack()
    assert backlog.ack(1) == 1
    assert not backlog.full
    backlog.ack(3)
    assert (backlog.idle, backlog.size_bytes, len(backlog)) == (True, 0, 0)


def test_an_acknowledgement_of_what_was_never_sent_loses_nothing() -> None:
    backlog = filled(3)
    assert backlog.ack(99) == 0
    assert seqs(backlog.next_pack()) == [1, 2, 3]


def test_an_old_acknowledgement_changes_nothing() -> None:
    backlog = filled(3)
    backlog.next_pack()
    backlog.ack(2)
    assert backlog.ack(1) == 0
    assert backlog.oldest == 3


def test_what_could_not_be_carried_is_taken_again_unmarked() -> None:
    backlog = filled(2)
    backlog.next_pack()
    backlog.requeue()
    assert not backlog.flying
    again = backlog.next_pack()
    assert again is not None
    assert seqs(again) == [1, 2]
    assert again.flags == bytes([INBOUND] * 2)


def test_another_gateway_gets_the_mark_in_flags_and_payload() -> None:
    backlog = filled(1)
    backlog.next_pack()
    backlog.append(payload("new"), INBOUND)
    assert backlog.resend(marked=True) == 1
    first, second = backlog.next_pack(), backlog.next_pack()
    assert first is not None
    assert second is not None
    assert first.flags == bytes([INBOUND | REDELIVERED])
    assert json.loads(first.payloads[0]) == {"text": "x" * 10, "redelivered": True}
    assert second.flags == bytes([INBOUND])
    assert json.loads(second.payloads[0]) == {"text": "new"}


def test_the_same_gateway_gets_no_mark() -> None:
    backlog = filled(1)
    backlog.next_pack()
    backlog.resend(marked=False)
    again = backlog.next_pack()
    assert again is not None
    assert again.flags == bytes([INBOUND])


def test_the_mark_stays_when_the_second_gateway_loses_it_too() -> None:
    backlog = filled(1)
    backlog.next_pack()
    backlog.resend(marked=True)
    backlog.next_pack()
    backlog.resend(marked=False)
    again = backlog.next_pack()
    assert again is not None
    assert again.flags[0] & REDELIVERED
    assert again.payloads[0].count(b"redelivered") == 1


def test_an_acknowledgement_that_comes_after_the_resend_still_counts() -> None:
    backlog = filled(3)
    backlog.next_pack()
    backlog.resend(marked=False)
    backlog.ack(2)
    assert backlog.size_bytes == len(payload("x" * 10)) + FRAME_BYTES
    assert seqs(backlog.next_pack()) == [3]


def test_a_message_without_a_cursor_begins_a_new_pack_after_one_that_has_one() -> None:
    backlog = Backlog()
    for cursor in (b"", b"1", b"2", b"", b"", b"3"):
        backlog.append(payload("x"), 0, cursor)
    packs = [backlog.next_pack(), backlog.next_pack()]
    assert [(seqs(pack), pack and pack.cursor) for pack in packs] == [
        ([1, 2, 3], b"2"),
        ([4, 5, 6], b"3"),
    ]


def test_an_acknowledged_cursor_is_that_of_the_last_message_that_is() -> None:
    backlog = Backlog()
    backlog.append(payload("a"), 0, b"1")
    backlog.append(payload("b"), 0)
    backlog.append(payload("c"), 0, b"2")
    backlog.next_pack()
    backlog.next_pack()
    backlog.ack(2)  # in the middle of a pack, whose cursor belongs to its last message
    assert (backlog.cursor, backlog.cursor_at) == (b"1", 1)
    backlog.resend(marked=True)
    pack = backlog.next_pack()
    assert (seqs(pack), pack and pack.cursor) == ([3], b"2")
    backlog.ack(3)
    assert (backlog.cursor, backlog.cursor_at) == (b"2", 3)
    assert [pack.cursor for pack in backlog.history(1, 4)] == [b"", b"", b""]


def test_cursors_count_as_bytes_and_are_let_go_with_their_acknowledgement() -> None:
    backlog = Backlog(max_bytes=2_000)
    backlog.append(payload("x"), 0, b"c" * 1_000)
    assert not backlog.full
    backlog.append(payload("x"), 0, b"c" * 500)  # takes the place of the first
    assert backlog.size_bytes == 2 * (len(payload("x")) + FRAME_BYTES) + 500
    backlog.append(payload("x"), 0)
    backlog.append(payload("x"), 0, b"c" * 2_000)
    assert backlog.full
    backlog.next_pack()
    backlog.next_pack()
    backlog.ack(4)
    assert (backlog.size_bytes, backlog.full) == (0, False)


@given(
    st.lists(st.tuples(st.integers(0, 300), st.sampled_from([b"", b"1", b"22"])), max_size=80),
    st.lists(st.integers(0, 80), max_size=5),
)
def test_a_pack_with_a_cursor_ends_with_the_message_that_brought_it(
    messages: list[tuple[int, bytes]], acks: list[int]
) -> None:
    backlog = Backlog(window=10_000)
    for size, cursor in messages:
        backlog.append(payload("x" * size), 0, cursor)
    for ack in [*acks, len(messages)]:
        while pack := backlog.next_pack():
            cursors = [messages[seq - 1][1] for seq in seqs(pack)]
            assert pack.cursor == cursors[-1]
        backlog.ack(ack)
    while backlog.next_pack():
        backlog.ack(backlog.sent)
    assert backlog.size_bytes == 0


class Traffic(RuleBasedStateMachine):
    """A backlog, a wire that loses its tail, and gateways that come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.backlog = Backlog(max_messages=40, max_bytes=4_000, window=WINDOW)
        self.appended = 0
        self.costs: dict[int, int] = {}  # bytes by sequence number
        self.flight: list[range] = []  # packs that were taken and are not acknowledged
        self.wire: list[tuple[int, int, bytes]] = []
        self.gateway_last = 0  # of the living gateway
        self.handed_on: list[int] = []  # by all gateways, first times only
        self.ever: set[int] = set()

    @rule(size=st.integers(0, 300), count=st.integers(1, 20))
    def append(self, size: int, count: int) -> None:
        for _ in range(count):
            if not self.backlog.full:
                self.appended += 1
                text = payload("x" * size)
                self.costs[self.appended] = len(text) + FRAME_BYTES
                assert self.backlog.append(text, 0) == self.appended

    @rule()
    def send(self) -> None:
        pack = self.backlog.next_pack()
        if pack is not None:
            self.flight.append(range(pack.first, pack.last + 1))
            self.wire += zip(seqs(pack), pack.flags, pack.payloads, strict=True)
        elif self.backlog.unsent:
            assert self.cost(range(self.backlog.acked + 1, self.backlog.last + 1)) > WINDOW

    def cost(self, numbers: range) -> int:
        return sum(self.costs[seq] for seq in numbers)

    @rule()
    def link_is_full(self) -> None:
        if self.backlog.next_pack() is not None:
            self.backlog.requeue()

    @rule(count=st.integers(1, 30))
    def deliver(self, count: int) -> None:
        arrived, self.wire = self.wire[:count], self.wire[count:]
        for seq, flags, text in arrived:
            if seq <= self.gateway_last:
                continue  # a duplicate within one gateway's life
            assert seq == self.gateway_last + 1, "a gap reached the gateway"
            self.gateway_last = seq
            marked = bool(flags & REDELIVERED)
            assert marked == (b'"redelivered":true' in text)
            if seq in self.ever:
                assert marked, "it came twice without a mark"
            else:
                self.handed_on.append(seq)
                self.ever.add(seq)

    @rule(behind=st.integers(0, 5))
    def acknowledge(self, behind: int) -> None:
        self.ack(max(0, self.gateway_last - behind))

    def ack(self, seq: int) -> None:
        self.backlog.ack(seq)
        rest = [range(max(pack.start, seq + 1), pack.stop) for pack in self.flight]
        self.flight = [pack for pack in rest if pack]

    @rule(lost=st.integers(0, 30))
    def connection_breaks(self, lost: int) -> None:
        """The tail of the wire is lost; the same gateway welcomes again."""
        self.deliver(max(1, len(self.wire) - lost))
        self.wire.clear()
        self.ack(self.gateway_last)
        self.backlog.resend(marked=False)
        self.flight.clear()

    @rule()
    def gateway_dies(self) -> None:
        """Another one knows only what ``Hello`` says."""
        self.wire.clear()
        self.gateway_last = self.backlog.oldest - 1
        self.backlog.resend(marked=True)
        self.flight.clear()

    @invariant()
    def bounds_hold(self) -> None:
        backlog = self.backlog
        flying = sum(map(self.cost, self.flight))
        assert len(backlog) <= 40
        assert backlog.size_bytes <= 4_000 + 400
        assert len(self.flight) <= 1 or flying <= WINDOW
        assert backlog.flying == bool(self.flight)
        assert backlog.size_bytes == self.cost(range(backlog.acked + 1, backlog.last + 1))
        assert backlog.acked <= backlog.sent <= backlog.last == self.appended

    @invariant()
    def acknowledged_means_handed_on(self) -> None:
        assert self.backlog.acked <= max(self.ever, default=0)

    def teardown(self) -> None:
        """Let everything arrive: nothing is missing and the order is kept."""
        while not self.backlog.idle:
            self.send()
            assert self.wire or self.backlog.flying, "messages wait, and nothing is sent"
            self.deliver(len(self.wire))
            self.ack(self.gateway_last)
        assert self.handed_on == list(range(1, self.appended + 1))
        assert self.backlog.size_bytes == 0


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
