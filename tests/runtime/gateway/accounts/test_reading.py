"""How far the messages of an account have been read, and what of them is withheld."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.gateway.accounts import reading
from runtime.gateway.accounts.agents import Received
from runtime.gateway.accounts.reading import Reading, batches
from runtime.gateway.journal.records import Part, Place, Withheld
from workers.messages import Attachment, Chat, Inbound, Sender

FILE = "a" * 32


def received(*files: str) -> Received:
    attachments = [Attachment(url=f"media:{each}") for each in files]
    message = Inbound("m1", Chat("c", "direct"), Sender("ada"), "hi", 1, attachments=attachments)
    return Received("1:1", message)


@pytest.mark.parametrize(
    ("place", "settled", "read"),
    [
        (None, (0, 0), (0, 0)),
        (Place("k", 1), (0, 0), (0, 0)),
        (Place("k", 1, floor=(1, 2)), (0, 0), (1, 2)),
        (Place("k", 1, floor=(1, 2), settled=(1, 5)), (1, 5), (1, 5)),
        (Place("k", 1, settled=(1, 5), heard=(1, 3)), (1, 5), (1, 3)),
    ],
)
def test_reading_begins_where_an_earlier_gateway_has_ended(
    place: Place | None, settled: Any, read: Any
) -> None:
    made = Reading(place, behind=True)
    assert (made.settled, made.read) == (settled, read)


def test_what_is_withheld_is_returned_once_with_its_files() -> None:
    made = Reading(None, behind=False)
    made.withhold((1, 1), "dm-not-listed", received(FILE))
    made.withhold((1, 2), "dm-not-listed", received())
    withheld = [Withheld((1, number), "dm-not-listed") for number in (1, 2)]
    assert made.pop_withheld() == (withheld, [FILE])
    assert made.pop_withheld() == ([], [])


async def test_the_timer_of_the_next_record_can_be_stopped_at_any_time() -> None:
    made, called = Reading(None, behind=False), asyncio.Event()
    made.stop_timer()
    made.timer = timer = asyncio.get_running_loop().call_later(60, called.set)
    made.stop_timer()
    assert timer.cancelled()
    assert made.timer is None


def test_parts_are_divided_in_order_into_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH", 3)
    parts = [(1, 0, Part(first, b"xx", [b"{}", b"{}"])) for first in (1, 3, 5)]
    assert list(batches(parts)) == [parts[:2], parts[2:]]
    assert list(batches([])) == []
