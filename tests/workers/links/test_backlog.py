"""The outbox over random histories: no loss, order, bounds, and marks on what may come twice."""

from __future__ import annotations

import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ipc.frames.data import INBOUND, PACK_BYTES, PACK_FRAMES, REDELIVERED, Messages
from workers.links.backlog import FRAME_BYTES, Outbox

WINDOW = 2_000


def payload(text: str) -> bytes:
    return json.dumps({"text": text}).encode()


def filled(count: int, size: int = 10, **bounds: int) -> Outbox:
    outbox = Outbox(**bounds)
    for _ in range(count):
        outbox.append(payload("x" * size), INBOUND)
    return outbox


def seqs(pack: Messages | None) -> list[int]:
    return [] if pack is None else list(range(pack.first, pack.last + 1))


def test_numbers_start_at_one_and_have_no_gap() -> None:
    outbox = Outbox()
    assert [outbox.append(b"{}", 0) for _ in range(3)] == [1, 2, 3]
    assert outbox.oldest == 1


def test_a_pack_holds_no_more_than_it_may() -> None:
    outbox = filled(PACK_FRAMES + 1)
    assert seqs(outbox.take()) == list(range(1, PACK_FRAMES + 1))
    assert seqs(outbox.take()) == [PACK_FRAMES + 1]
    assert outbox.take() is None


def test_a_pack_grows_until_it_is_taken() -> None:
    outbox = filled(2)
    assert seqs(outbox.take()) == [1, 2]
    outbox.append(b"{}", 0)
    outbox.append(b"{}", 0)
    assert seqs(outbox.take()) == [3, 4]


def test_a_pack_holds_at_most_64_kib() -> None:
    outbox = filled(4, size=30_000)
    assert seqs(outbox.take()) == [1, 2]
    assert seqs(outbox.take()) == [3, 4]


def test_a_message_larger_than_a_pack_goes_alone_while_others_fly() -> None:
    outbox = filled(1)
    assert seqs(outbox.take()) == [1]
    outbox.append(payload("x" * 2 * PACK_BYTES), 0)
    outbox.append(payload("y"), 0)
    assert seqs(outbox.take()) == [2]
    assert seqs(outbox.take()) == [3]


def test_a_message_larger_than_the_window_goes_when_nothing_flies() -> None:
    outbox = Outbox(window=100)
    outbox.append(payload("small"), 0)
    outbox.append(payload("x" * 500), 0)
    assert seqs(outbox.take()) == [1]
    assert outbox.take() is None
    outbox.ack(1)
    assert seqs(outbox.take()) == [2]


def test_the_window_bounds_what_flies() -> None:
    each = len(payload("x" * 10)) + FRAME_BYTES
    outbox = filled(10, window=3 * each)
    assert seqs(outbox.take()) == [1, 2, 3]
    assert outbox.take() is None
    assert outbox.unsent
    outbox.ack(2)
    assert outbox.take() is None
    outbox.ack(3)
    assert seqs(outbox.take()) == [4, 5, 6]


def test_it_is_full_by_count_and_by_bytes() -> None:
    assert filled(3, max_messages=3).full
    assert not filled(2, max_messages=3).full
    assert filled(2, size=500, max_bytes=1_000).full


def test_room_comes_back_with_acknowledgements() -> None:
    outbox = filled(3, max_messages=3)
    outbox.take()
    assert outbox.ack(1) == 1
    assert not outbox.full
    outbox.ack(3)
    assert (outbox.idle, outbox.size_bytes, len(outbox)) == (True, 0, 0)


def test_an_acknowledgement_of_what_was_never_sent_loses_nothing() -> None:
    outbox = filled(3)
    assert outbox.ack(99) == 0
    assert seqs(outbox.take()) == [1, 2, 3]


def test_an_old_acknowledgement_changes_nothing() -> None:
    outbox = filled(3)
    outbox.take()
    outbox.ack(2)
    assert outbox.ack(1) == 0
    assert outbox.oldest == 3


def test_what_could_not_be_carried_is_taken_again_unmarked() -> None:
    outbox = filled(2)
    outbox.take()
    outbox.putback()
    assert not outbox.flying
    again = outbox.take()
    assert again is not None
    assert seqs(again) == [1, 2]
    assert again.flags == bytes([INBOUND] * 2)


def test_another_gateway_gets_the_mark_in_flags_and_payload() -> None:
    outbox = filled(1)
    outbox.take()
    outbox.append(payload("new"), INBOUND)
    assert outbox.resend(marked=True) == 1
    first, second = outbox.take(), outbox.take()
    assert first is not None
    assert second is not None
    assert first.flags == bytes([INBOUND | REDELIVERED])
    assert json.loads(first.payloads[0]) == {"text": "x" * 10, "redelivered": True}
    assert second.flags == bytes([INBOUND])
    assert json.loads(second.payloads[0]) == {"text": "new"}


def test_the_same_gateway_gets_no_mark() -> None:
    outbox = filled(1)
    outbox.take()
    outbox.resend(marked=False)
    again = outbox.take()
    assert again is not None
    assert again.flags == bytes([INBOUND])


def test_the_mark_stays_when_the_second_gateway_loses_it_too() -> None:
    outbox = filled(1)
    outbox.take()
    outbox.resend(marked=True)
    outbox.take()
    outbox.resend(marked=False)
    again = outbox.take()
    assert again is not None
    assert again.flags[0] & REDELIVERED
    assert again.payloads[0].count(b"redelivered") == 1


def test_an_acknowledgement_that_comes_after_the_resend_still_counts() -> None:
    outbox = filled(3)
    outbox.take()
    outbox.resend(marked=False)
    outbox.ack(2)
    assert seqs(outbox.take()) == [3]


class Traffic(RuleBasedStateMachine):
    """An outbox, a wire that loses its tail, and gateways that come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(max_messages=40, max_bytes=4_000, window=WINDOW)
        self.appended = 0
        self.wire: list[tuple[int, int, bytes]] = []
        self.gateway_last = 0  # of the living gateway
        self.handed_on: list[int] = []  # by all gateways, first times only
        self.ever: set[int] = set()

    @rule(size=st.integers(0, 300), count=st.integers(1, 20))
    def append(self, size: int, count: int) -> None:
        for _ in range(count):
            if not self.outbox.full:
                self.appended += 1
                assert self.outbox.append(payload("x" * size), 0) == self.appended

    @rule()
    def send(self) -> None:
        pack = self.outbox.take()
        if pack is not None:
            self.wire += zip(seqs(pack), pack.flags, pack.payloads, strict=True)

    @rule()
    def link_is_full(self) -> None:
        if self.outbox.take() is not None:
            self.outbox.putback()

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
        self.outbox.ack(max(0, self.gateway_last - behind))

    @rule(lost=st.integers(0, 30))
    def connection_breaks(self, lost: int) -> None:
        """The tail of the wire is lost; the same gateway welcomes again."""
        self.deliver(max(1, len(self.wire) - lost))
        self.wire.clear()
        self.outbox.ack(self.gateway_last)
        self.outbox.resend(marked=False)

    @rule()
    def gateway_dies(self) -> None:
        """Another one knows only what ``Hello`` says."""
        self.wire.clear()
        self.gateway_last = self.outbox.oldest - 1
        self.outbox.resend(marked=True)

    @invariant()
    def bounds_hold(self) -> None:
        outbox = self.outbox
        flying = list(outbox._flight)
        size = sum(len(text) + FRAME_BYTES for pack in flying for text in pack.payloads)
        assert len(outbox) <= 40
        assert outbox.size_bytes <= 4_000 + 400
        assert len(flying) <= 1 or size <= WINDOW
        assert size == outbox._flight_bytes
        assert outbox.acked <= outbox.sent <= outbox.last == self.appended

    @invariant()
    def acknowledged_means_handed_on(self) -> None:
        assert self.outbox.acked <= max(self.ever, default=0)

    def teardown(self) -> None:
        """Let everything arrive: nothing is missing and the order is kept."""
        while not self.outbox.idle:
            self.send()
            assert self.wire or self.outbox.flying, "messages wait, and nothing is sent"
            self.deliver(len(self.wire))
            self.outbox.ack(self.gateway_last)
        assert self.handed_on == list(range(1, self.appended + 1))
        assert self.outbox.size_bytes == 0


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
