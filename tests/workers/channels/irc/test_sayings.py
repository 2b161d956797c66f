"""What becomes of messages that were said."""

from __future__ import annotations

import pytest

from workers.channels.irc.sayings import Saying, Sayings
from workers.errors import SendFailed


def said(sayings: Sayings, target: str, parts: int = 1, *, written: int | None = None) -> Saying:
    saying = sayings.begin(target, parts)
    saying.written = parts if written is None else written
    return saying


async def test_the_answer_to_a_fence_settles_what_was_before_it() -> None:
    sayings = Sayings()
    first, second = said(sayings, "#a"), said(sayings, "#b")
    assert sayings.fence() == "said-1"
    assert sayings.fence() is None
    third, half = said(sayings, "#c"), said(sayings, "#d", 2, written=1)
    assert sayings.fence() == "said-2"
    sayings.answered("said-1")
    assert [one.outcome.done() for one in (first, second, third, half)] == [
        True,
        True,
        False,
        False,
    ]
    sayings.answered("said-2")
    assert third.outcome.done()
    assert not half.outcome.done()


async def test_other_answers_settle_nothing() -> None:
    sayings = Sayings()
    saying = said(sayings, "#a")
    sayings.fence()
    for token in ("", "lag-1", "said-", "said-x", "1"):
        sayings.answered(token)
    assert not saying.outcome.done()


async def test_a_refusal_is_for_the_oldest_message_to_the_target() -> None:
    sayings = Sayings()
    waiting, first, second = (
        said(sayings, "al", written=0),
        said(sayings, "al"),
        said(sayings, "al"),
    )
    assert not sayings.refuse("bo", "no")
    assert sayings.refuse("al", "no such nick")
    with pytest.raises(SendFailed, match="no such nick"):
        await first.outcome
    sayings.fence()
    sayings.answered("said-1")
    await second.outcome
    first.settle()
    assert not waiting.outcome.done()


async def test_a_lost_connection_tells_how_far_it_came() -> None:
    sayings = Sayings()
    whole, part, none = (said(sayings, "#a", 2, written=written) for written in (2, 1, 0))
    sayings.lose()
    sayings.lose()
    await whole.outcome
    with pytest.raises(SendFailed, match="after 1 of 2 parts") as failure:
        await part.outcome
    assert not failure.value.retryable
    with pytest.raises(SendFailed, match="after 0 of 2") as failure:
        await none.outcome
    assert failure.value.retryable
    sayings.end(none)
