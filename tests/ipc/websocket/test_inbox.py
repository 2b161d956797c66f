"""Events on their way to a listener, or to whoever reads them in a loop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ipc.frames.websocket import Event
from ipc.websocket import inbox
from ipc.websocket.inbox import Inbox


def test_a_listener_gets_each_event_at_once() -> None:
    heard: list[Event] = []
    box = Inbox("ws://x", heard.append)
    box.put(Event("one"))
    assert heard == [Event("one")]
    assert box.dropped == 0


async def test_a_fault_of_the_listener_is_reported_and_the_next_event_comes() -> None:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    heard: list[str] = []

    def listen(event: Event) -> None:
        heard.append(event.event)
        if event.event == "bad":
            raise ValueError("cannot take it")

    box = Inbox("ws://x", listen)
    box.put(Event("bad"))
    box.put(Event("good"))
    assert heard == ["bad", "good"]
    assert [fault["message"] for fault in faults] == ["listener of ws://x: cannot take it"]


async def test_what_has_come_and_what_comes_is_read_until_the_end() -> None:
    box = Inbox("ws://x", None)
    box.put(Event("before"))
    got: list[str] = []

    async def read() -> None:
        got.extend([event.event async for event in box.events()])

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    box.put(Event("meanwhile"))
    await asyncio.sleep(0)
    box.put(Event("last"))
    box.end()
    await reading
    assert got == ["before", "meanwhile", "last"]


async def test_the_oldest_events_that_nobody_reads_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "EVENTS_KEPT", 3)
    box = Inbox("ws://x", None)
    for number in range(5):
        box.put(Event(f"e{number}"))
    box.end()
    assert [event.event async for event in box.events()] == ["e2", "e3", "e4"]
    assert box.dropped == 2
