"""What becomes of messages that were said."""

from __future__ import annotations

import pytest

from workers.channels.irc.deliveries import Deliveries, Delivery
from workers.errors import SendFailed


def said(
    deliveries: Deliveries, target: str, parts: int = 1, *, written: int | None = None
) -> Delivery:
    delivery = deliveries.begin(target, parts)
    delivery.written = parts if written is None else written
    return delivery


async def test_the_answer_to_a_fence_settles_what_was_before_it() -> None:
    deliveries = Deliveries()
    first, second = said(deliveries, "#a"), said(deliveries, "#b")
    assert deliveries.fence() == "said-1"
    assert deliveries.fence() is None
    third, half = said(deliveries, "#c"), said(deliveries, "#d", 2, written=1)
    assert deliveries.fence() == "said-2"
    deliveries.on_pong("said-1")
    assert [one.outcome.done() for one in (first, second, third, half)] == [
        True,
        True,
        False,
        False,
    ]
    deliveries.on_pong("said-2")
    assert third.outcome.done()
    assert not half.outcome.done()


async def test_other_answers_settle_nothing() -> None:
    deliveries = Deliveries()
    delivery = said(deliveries, "#a")
    deliveries.fence()
    for token in ("", "lag-1", "said-", "said-x", "1", "said-" + "9" * 9000):
        deliveries.on_pong(token)
    assert not delivery.outcome.done()


async def test_a_refusal_is_for_the_oldest_message_to_the_target() -> None:
    deliveries = Deliveries()
    waiting, first, second = (
        said(deliveries, "al", written=0),
        said(deliveries, "al"),
        said(deliveries, "al"),
    )
    assert not deliveries.refuse(("bo",), "no")
    assert deliveries.refuse(("al",), "no such nick")
    with pytest.raises(SendFailed, match="no such nick"):
        await first.outcome
    deliveries.fence()
    deliveries.on_pong("said-1")
    await second.outcome
    first.confirm()
    assert not waiting.outcome.done()


async def test_a_lost_connection_tells_how_far_it_came() -> None:
    deliveries = Deliveries()
    whole, part, none = (said(deliveries, "#a", 2, written=written) for written in (2, 1, 0))
    deliveries.on_lost()
    deliveries.on_lost()
    for delivery, text in ((whole, "after 2 of 2 parts"), (part, "after 1 of 2 parts")):
        with pytest.raises(SendFailed, match=f"{text}.* may have been delivered") as failure:
            await delivery.outcome
        assert (failure.value.retryable, failure.value.maybe_sent) == (False, True)
    with pytest.raises(SendFailed, match="after 0 of 2") as failure:
        await none.outcome
    assert (failure.value.retryable, failure.value.maybe_sent) == (True, False)
    deliveries.end(none)


async def test_a_refusal_without_a_target_is_for_the_oldest_message() -> None:
    deliveries = Deliveries()
    waiting, first, second = (said(deliveries, "#a", written=n) for n in (0, 1, 1))
    assert deliveries.refuse((), "no")
    assert deliveries.refuse((), "no")
    assert not deliveries.refuse((), "no")
    for delivery in (first, second):
        with pytest.raises(SendFailed, match="no"):
            await delivery.outcome
    assert not waiting.outcome.done()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("401 No such nick", "not_found"),
        ("404 Cannot send to channel", "forbidden"),
        ("716 is in +g mode", "blocked"),
        ("CANNOT_SEND You may not", None),
    ],
)
async def test_a_refusal_has_the_reason_of_its_number(text: str, reason: str | None) -> None:
    deliveries = Deliveries()
    delivery = deliveries.begin("al", 1)
    delivery.count_line()
    deliveries.refuse(("al",), text)
    with pytest.raises(SendFailed) as failure:
        await delivery.outcome
    assert failure.value.reason == reason
