"""Recent messages, kept for those who come back."""

from runtime.gateway.accounts.ring import Ring, Rings


def test_frames_after_a_cursor_over_incarnations() -> None:
    rings = Rings(10, 1000)
    for incarnation, seq in ((1, 1), (1, 2), (7, 1)):
        rings.extend("irc:a", incarnation, seq, [b"%d:%d" % (incarnation, seq)])
    assert rings.after("irc:a", (1, 1)) == ([b"1:2", b"7:1"], True)
    assert rings.after("irc:a", (7, 1)) == ([], True)


def test_what_had_to_go_makes_a_replay_incomplete() -> None:
    ring = Ring()
    for seq in range(1, 6):
        ring.extend(1, seq, [b"x" * 10], limit=100, limit_bytes=25)
    assert ring.size_bytes == 20
    assert ring.after((1, 2)) == ([b"x" * 10] * 2, False)
    assert ring.after((1, 3)) == ([b"x" * 10] * 2, True)
    assert len(ring) == 2


def test_the_oldest_packs_go_first_and_of_a_single_one_its_oldest() -> None:
    ring = Ring()
    for first in (1, 5, 9):
        ring.extend(1, first, [b"%d" % seq for seq in range(first, first + 4)], 10, 1000)
    assert (len(ring), ring.oldest, ring.floor) == (8, (1, 5), (1, 4))
    assert ring.after((1, 9)) == ([b"10", b"11", b"12"], True)
    ring.extend(1, 13, [b"x" * 5] * 4, limit=10, limit_bytes=12)
    assert (ring.after((1, 14)), ring.size_bytes) == (([b"x" * 5] * 2, True), 10)


def test_a_frame_larger_than_the_ring_is_not_kept() -> None:
    ring = Ring()
    ring.extend(1, 1, [b"x" * 100], limit=10, limit_bytes=50)
    assert (len(ring), ring.size_bytes, ring.floor) == (0, 0, (1, 1))


def test_a_ring_that_begins_late_says_what_it_cannot_know() -> None:
    ring = Ring()
    ring.begin(1, 4, anew=True)
    ring.extend(1, 5, [b"5"], limit=10, limit_bytes=100)
    assert ring.after((1, 4)) == ([b"5"], True)
    assert ring.after((1, 3)) == ([b"5"], False)


def test_history_lowers_the_floor_as_far_as_it_goes() -> None:
    ring = Ring()
    ring.begin(1, 4, anew=True)
    ring.extend(1, 5, [b"5"], limit=10, limit_bytes=100)
    assert ring.lacks(1, 3) == 3
    ring.fill(1, [(3, b"3"), (4, b"4")], limit=10, limit_bytes=100)
    assert ring.after((1, 2)) == ([b"3", b"4", b"5"], True)
    assert ring.after((1, 1)) == ([b"3", b"4", b"5"], False)
    assert ring.lacks(1, 3) == 0


def test_history_beyond_the_limits_or_of_another_time_is_not_taken() -> None:
    ring = Ring()
    ring.begin(2, 4, anew=True)
    assert (ring.lacks(1, 1), ring.lacks(2, 0), ring.lacks(2, 5)) == (0, 0, 0)
    ring.fill(2, [(2, b"2"), (3, b"3")], limit=10, limit_bytes=100)  # does not lead up to 4
    assert len(ring) == 0
    ring.fill(2, [(3, b"3"), (4, b"4")], limit=1, limit_bytes=100)
    assert ring.after((2, 3)) == ([b"4"], True)
    assert ring.lacks(2, 1) == 0  # there is no room for more


def test_a_stretch_that_was_never_here_makes_what_was_before_useless() -> None:
    ring = Ring()
    ring.extend(1, 1, [b"1"], limit=10, limit_bytes=100)
    ring.begin(1, 5, anew=True)
    ring.extend(1, 6, [b"6"], limit=10, limit_bytes=100)
    assert ring.after((1, 1)) == ([b"6"], False)


def test_all_rings_share_one_budget() -> None:
    rings = Rings(1000, 600, total_bytes=1000)
    for account in range(10):
        for seq in range(20):
            rings.extend(f"irc:{account}", 1, seq, [b"x" * 50])
    assert rings.size_bytes <= 600 + 500 + 333 + 250 + 200 + 166 + 142 + 125 + 111 + 100
    for account in range(10):
        rings.extend(f"irc:{account}", 1, 20, [b"x" * 50])
    assert rings.size_bytes <= 1000


def test_an_account_without_a_ring_cannot_be_complete() -> None:
    rings = Rings(10, 1000)
    assert rings.after("irc:a", (0, 0)) == ([], False)
    rings.extend("irc:a", 1, 1, [b"x"])
    rings.remove("irc:a")
    assert rings.size_bytes == 0
