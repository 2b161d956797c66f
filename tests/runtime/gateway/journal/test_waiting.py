"""Who waits for something to be stored is told when nothing can be."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from ipc.errors import RemoteError
from ipc.frames.words import JOURNAL_FULL, UNAVAILABLE
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.items import ItemsChanged
from runtime.gateway.journal.waiting import LATER, store_record, unstored, wait_stored

RECORD = ItemsChanged("agent:main", [], [])


class OneRecord:
    """A journal that takes a record and stores it when it is told to."""

    def __init__(self, fault: str | None) -> None:
        self.fault = fault
        self.done: Any = None

    def append(self, record: Any, done: Any) -> None:
        self.done = done


def journal(fault: str | None = None) -> tuple[OneRecord, Journal]:
    one = OneRecord(fault)
    return one, cast(Journal, one)


async def test_what_is_stored_returns_its_outcome() -> None:
    one, plain = journal()
    waiting = asyncio.create_task(store_record(plain, RECORD, lambda: one.done(None)))
    assert await waiting is None


@pytest.mark.virtual_time
async def test_on_a_full_disk_it_is_said_within_two_seconds_and_the_record_stays() -> None:
    one, plain = journal()
    loop = asyncio.get_running_loop()
    begin = loop.time()
    waiting = asyncio.create_task(store_record(plain, RECORD, lambda: None))
    await asyncio.sleep(0.1)
    one.fault = JOURNAL_FULL
    with pytest.raises(RemoteError, match="disk full") as found:
        await waiting
    assert loop.time() - begin <= 2.0
    assert (found.value.code, found.value.retryable) == (UNAVAILABLE, False)
    assert found.value.message.endswith(LATER)
    one.done(None)  # room again: whoever waited is gone


@pytest.mark.virtual_time
async def test_a_fault_of_a_moment_is_waited_for() -> None:
    one, plain = journal("journal: database is locked")
    done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(wait_stored(plain, done))
    await asyncio.sleep(0.4)
    one.fault = None
    await asyncio.sleep(5)
    done.set_result("kept")
    assert await waiting == "kept"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (JOURNAL_FULL, "nothing can be stored: disk full (journal full)"),
        ("journal: disk I/O error", "nothing can be stored: journal: disk I/O error"),
    ],
)
def test_the_sentence_names_the_disk(fault: str, said: str) -> None:
    assert unstored(fault) == said
