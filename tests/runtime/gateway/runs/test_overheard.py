"""How long the journal may keep what was overheard."""

from __future__ import annotations

from runtime.gateway.runs.overheard import KEPT_MS, MANY, FramePosition, Overheard, OverheardFrames

KEY = "irc:libera"


def held(count: int, at: int = 0) -> OverheardFrames:
    frames = OverheardFrames()
    for number in range(1, count + 1):
        frames.add(KEY, Overheard((1, number), at, [f"file-{number}"]))
    return frames


def test_what_is_kept_is_looked_at_again_and_what_is_released_goes_once() -> None:
    frames = held(3)
    assert frames.released_cursor(KEY, (1, 9)) == (1, 0)
    frames.release(
        [FramePosition(KEY, (1, 1)), FramePosition(KEY, (1, 1)), FramePosition("irc:oftc", (1, 2))]
    )
    assert frames.released_cursor(KEY, (1, 9)) == (1, 0)  # until it has gone
    assert frames.pop_due(KEY, 0) == [Overheard((1, 1), 0, ["file-1"])]
    assert frames.released_cursor(KEY, (1, 9)) == (1, 1)
    frames.release([FramePosition(KEY, (1, 2)), FramePosition(KEY, (1, 3))])
    assert [each.cursor for each in frames.pop_due(KEY, 0)] == [(1, 2), (1, 3)]
    assert frames.pop_due(KEY, 0) == []
    assert frames.released_cursor(KEY, (1, 9)) == (1, 9)


def test_what_is_old_goes_with_the_next_record() -> None:
    frames = held(2, at=1000)
    assert frames.pop_due(KEY, 1000 + KEPT_MS) == []
    assert len(frames.pop_due(KEY, 1001 + KEPT_MS)) == 2


def test_a_few_wait_for_a_record_and_many_do_not() -> None:
    frames = held(MANY)
    for number in range(1, MANY + 1):
        assert not frames.are_many_due(KEY)
        frames.release([FramePosition(KEY, (1, number))])
    assert frames.are_many_due(KEY)
    frames.forget(KEY)
    assert (frames.are_many_due(KEY), frames.pop_due(KEY, 0)) == (False, [])


def test_questions_about_an_account_that_is_no_more_leave_nothing_of_it() -> None:
    frames = held(1)
    frames.forget(KEY)
    frames.release([FramePosition(KEY, (1, 1))])
    assert (frames.are_many_due(KEY), frames.pop_due(KEY, 0)) == (False, [])
    assert frames.released_cursor(KEY, (1, 9)) == (1, 9)
    assert KEY not in str(vars(frames))
