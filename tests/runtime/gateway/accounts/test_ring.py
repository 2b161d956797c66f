"""Recent messages, kept for those who come back."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.frames.cursors import Cursor, has_all_after
from ipc.frames.data import HISTORY, Messages
from runtime.gateway.accounts.ring import Ring, Rings
from workers.links.backlog import Backlog


def after(ring: Ring, cursor: Cursor) -> tuple[list[bytes], bool]:
    """Return all payloads after a cursor, as they are read, and whether none is missing."""
    found: list[bytes] = []
    reached = cursor
    while some := ring.following(reached, 25):
        found += [payload for _, payload in some]
        reached = some[-1][0]
    return found, has_all_after(ring.floor, cursor)


def test_frames_after_a_cursor_over_incarnations() -> None:
    rings = Rings(10, 1000)
    for incarnation, seq in ((1, 1), (1, 2), (7, 1)):
        rings.extend("irc:a", incarnation, seq, [b"%d:%d" % (incarnation, seq)])
    assert after(rings.of("irc:a"), (1, 1)) == ([b"1:2", b"7:1"], True)
    assert after(rings.of("irc:a"), (7, 1)) == ([], True)


def test_what_had_to_go_makes_a_replay_incomplete() -> None:
    ring = Ring()
    for seq in range(1, 6):
        ring.extend(1, seq, [b"x" * 10], limit=100, limit_bytes=25)
    assert ring.size_bytes == 20
    assert after(ring, (1, 2)) == ([b"x" * 10] * 2, False)
    assert after(ring, (1, 3)) == ([b"x" * 10] * 2, True)
    assert len(ring) == 2


def test_the_oldest_packs_go_first_and_of_a_single_one_its_oldest() -> None:
    ring = Ring()
    for first in (1, 5, 9):
        ring.extend(1, first, [b"%d" % seq for seq in range(first, first + 4)], 10, 1000)
    assert (len(ring), ring.oldest, ring.floor) == (8, (1, 5), (1, 4))
    assert after(ring, (1, 9)) == ([b"10", b"11", b"12"], True)
    ring.extend(1, 13, [b"x" * 5] * 4, limit=10, limit_bytes=12)
    assert (after(ring, (1, 14)), ring.size_bytes) == (([b"x" * 5] * 2, True), 10)


def test_a_frame_larger_than_the_ring_is_not_kept() -> None:
    ring = Ring()
    ring.extend(1, 1, [b"x" * 100], limit=10, limit_bytes=50)
    assert (len(ring), ring.size_bytes, ring.floor) == (0, 0, (1, 1))


def test_a_ring_that_begins_late_says_what_it_cannot_know() -> None:
    ring = Ring()
    ring.begin(1, 4, anew=True)
    ring.extend(1, 5, [b"5"], limit=10, limit_bytes=100)
    assert after(ring, (1, 4)) == ([b"5"], True)
    assert after(ring, (1, 3)) == ([b"5"], False)


def test_history_lowers_the_floor_as_far_as_it_goes() -> None:
    ring = Ring()
    ring.begin(1, 4, anew=True)
    ring.extend(1, 5, [b"5"], limit=10, limit_bytes=100)
    assert ring.first_missing(1, 3) == 3
    ring.fill(1, [(3, b"3"), (4, b"4")], limit=10, limit_bytes=100)
    assert after(ring, (1, 2)) == ([b"3", b"4", b"5"], True)
    assert after(ring, (1, 1)) == ([b"3", b"4", b"5"], False)
    assert ring.first_missing(1, 3) == 0


def test_history_beyond_the_limits_or_of_another_time_is_not_taken() -> None:
    ring = Ring()
    ring.begin(2, 4, anew=True)
    asked = (ring.first_missing(1, 1), ring.first_missing(2, 0), ring.first_missing(2, 5))
    assert asked == (0, 0, 0)
    ring.fill(2, [(2, b"2"), (3, b"3")], limit=10, limit_bytes=100)  # does not lead up to 4
    assert len(ring) == 0
    ring.fill(2, [(3, b"3"), (4, b"4")], limit=1, limit_bytes=100)
    assert after(ring, (2, 3)) == ([b"4"], True)
    assert ring.first_missing(2, 1) == 0  # there is no room for more


def test_a_stretch_that_was_never_here_makes_what_was_before_useless() -> None:
    ring = Ring()
    ring.extend(1, 1, [b"1"], limit=10, limit_bytes=100)
    ring.begin(1, 5, anew=True)
    ring.extend(1, 6, [b"6"], limit=10, limit_bytes=100)
    assert after(ring, (1, 1)) == ([b"6"], False)


def test_all_rings_share_one_budget() -> None:
    rings = Rings(1000, 600, total_bytes=1000)
    for account in range(10):
        for seq in range(20):
            rings.extend(f"irc:{account}", 1, seq, [b"x" * 50])
    assert rings.size_bytes <= 600 + 500 + 333 + 250 + 200 + 166 + 142 + 125 + 111 + 100
    for account in range(10):
        rings.extend(f"irc:{account}", 1, 20, [b"x" * 50])
    assert rings.size_bytes <= 1000
    for account in range(1, 10):
        rings.remove(f"irc:{account}")
    rings.extend("irc:0", 1, 21, [b"x" * 50] * 9)
    assert rings.size_bytes == 550  # what the others had is free again


def test_an_account_without_a_ring_cannot_be_complete() -> None:
    rings = Rings(10, 1000)
    assert rings.following("irc:a", (1, 0), 100) == []
    assert rings.floor("irc:a") is None
    assert not rings.reaches("irc:a", (1, 0))
    assert rings.newest("irc:a") is None
    rings.extend("irc:a", 1, 1, [b"x"])
    assert rings.newest("irc:a") == (1, 1)
    rings.remove("irc:a")
    assert rings.newest("irc:a") is None
    assert rings.size_bytes == 0


KEY = "irc:libera"


def numbers(pack: Messages) -> range:
    return range(pack.first, pack.last + 1)


class Model:
    """One account and the gateways it lives through; frames are lost only with a link.

    ``handed`` is what clients have ever seen, once per gateway.
    """

    def __init__(self, keep: int, ring: int) -> None:
        self.backlog = Backlog(keep=keep)
        self.ring_size = ring
        self.handed: list[int] = []
        self.restart()

    def restart(self) -> None:
        self.rings = Rings(self.ring_size, 10_000)
        self.seen = 0
        self.fresh = True
        self.hello()

    def hello(self) -> None:
        """The worker says hello and is welcomed; what was in flight is sent again."""
        backlog, ring = self.backlog, self.rings.of(KEY)
        ring.begin(1, backlog.oldest - 1, anew=backlog.oldest - 1 > self.seen)
        self.seen = max(self.seen, backlog.oldest - 1)
        if wanted := ring.first_missing(1, backlog.kept):
            packs = backlog.history(wanted, backlog.oldest)
            found = [(seq, b"%d" % seq) for pack in packs for seq in numbers(pack)]
            assert all(seq <= backlog.acked for seq, _ in found)
            self.rings.fill(KEY, 1, found)
        backlog.ack(self.seen)
        backlog.resend(marked=self.fresh)
        self.fresh = False

    def emit(self) -> None:
        self.backlog.append(b'{"x":1}', 1)

    def deliver(self, *, acknowledge: bool) -> None:
        pack = self.backlog.next_pack()
        if pack is not None and pack.last > self.seen:
            fresh = [seq for seq in numbers(pack) if seq > self.seen]
            assert fresh[0] == self.seen + 1
            self.seen = pack.last
            self.handed += fresh
            self.rings.extend(KEY, 1, fresh[0], [b"%d" % seq for seq in fresh])
        if acknowledge:
            self.backlog.ack(self.seen)


STEPS = st.lists(
    st.sampled_from(["emit", "emit", "deliver", "deliver, no ack", "restart", "lost link"]),
    max_size=60,
)


def play(model: Model, step: str) -> None:
    match step:
        case "emit":
            model.emit()
        case "restart":
            model.restart()
        case "lost link":
            model.hello()
        case _:
            model.deliver(acknowledge=step == "deliver")


@settings(max_examples=300, deadline=None)
@given(STEPS, st.sampled_from([0, 60, 10_000]), st.sampled_from([2, 100]))
def test_a_replay_is_exact_or_says_that_it_is_not(steps: list[str], keep: int, ring: int) -> None:
    """Over every history of restarts: what is replayed after any cursor that a client can have
    is what was handed on after it, or the gap is told.
    """
    model = Model(keep, ring)
    for step in steps:
        play(model, step)
        newest = max(model.handed, default=0)
        for cursor in range(newest + 1):
            frames, complete = after(model.rings.of(KEY), (1, cursor))
            replayed = [int(frame) for frame in frames]
            assert replayed == sorted(set(replayed))
            assert all(seq > cursor for seq in replayed)
            if complete:
                assert replayed == list(range(cursor + 1, model.seen + 1))
            elif replayed:
                assert replayed == list(range(replayed[0], model.seen + 1))


@given(STEPS)
def test_with_room_enough_nothing_that_was_handed_on_is_ever_missing(steps: list[str]) -> None:
    model = Model(10_000, 1_000)
    for step in steps:
        play(model, step)
        for cursor in range(model.seen + 1):
            frames, complete = after(model.rings.of(KEY), (1, cursor))
            assert complete
            assert [int(frame) for frame in frames] == list(range(cursor + 1, model.seen + 1))


@given(st.lists(st.integers(0, 300), max_size=60), st.integers(0, 500))
def test_what_is_kept_is_bounded_in_order_and_marked(sizes: list[int], keep: int) -> None:
    backlog = Backlog(keep=keep)
    for size in sizes:
        backlog.append(b"x" * size, 1)
        backlog.next_pack()
        backlog.ack(backlog.sent)
    packs = list(backlog.history(1, backlog.oldest))
    found = [seq for pack in packs for seq in numbers(pack)]
    assert sum(len(payload) + 16 for pack in packs for payload in pack.payloads) <= keep
    assert found == list(range(backlog.oldest - len(found), backlog.oldest))
    assert all(flags == 1 | HISTORY for pack in packs for flags in pack.flags)
    assert backlog.kept == (found[0] if found else 0)


def test_what_follows_is_read_in_bounded_pieces_with_its_cursors() -> None:
    ring = Ring()
    ring.extend(1, 1, [b"1", b"2", b"3" * 30], limit=10, limit_bytes=100)
    ring.extend(1, 4, [b"4"], limit=10, limit_bytes=100)
    ring.extend(3, 1, [b"5", b"6"], limit=10, limit_bytes=100)
    assert ring.following((0, 9), 2) == [((1, 1), b"1"), ((1, 2), b"2")]
    assert ring.following((1, 2), 5) == [((1, 3), b"3" * 30)], "one, however long it is"
    assert ring.following((1, 3), 2) == [((1, 4), b"4"), ((3, 1), b"5")]
    assert ring.following((2, 0), 9) == [((3, 1), b"5"), ((3, 2), b"6")]
    assert ring.following((3, 1), 9) == [((3, 2), b"6")]
    assert ring.following((3, 2), 9) == []


def test_how_far_back_the_rings_reach() -> None:
    rings = Rings(2, 1000)
    assert not rings.reaches("a", (1, 0))
    rings.extend("a", 1, 1, [b"1", b"2", b"3"])
    assert [rings.reaches("a", (1, seq)) for seq in range(4)] == [False, True, True, True]


def test_the_last_payloads_are_those_that_came_last() -> None:
    rings = Rings(10, 1000)
    rings.extend("irc:a", 1, 1, [b"1", b"2"])
    rings.extend("irc:a", 1, 3, [b"3", b"4"])
    assert rings.last("irc:a", 3) == [b"2", b"3", b"4"]
    assert rings.last("irc:a", 9) == [b"1", b"2", b"3", b"4"]
    assert rings.last("irc:b", 9) == []
