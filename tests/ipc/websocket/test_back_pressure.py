"""Producers wait for clients that read, and not for those that do not."""

from __future__ import annotations

import asyncio

import pytest

from ipc.websocket.back_pressure import CHECK_SECONDS, BackPressure

pytestmark = pytest.mark.virtual_time


class Reader:
    """A client with so many bytes unread."""

    def __init__(self, unread: int = 100) -> None:
        self.buffered_bytes = unread

    def cut_off(self) -> None:
        """Do nothing: another module cuts clients off."""


class Site:
    """The pressure of a server with so many clients. ``overs`` counts when it was over."""

    def __init__(self, clients: int) -> None:
        self.overs = 0
        self.pressure = BackPressure(lambda: clients, self.over)

    def over(self) -> None:
        assert not self.pressure
        self.overs += 1


async def checked() -> None:
    """Wait until the next check is over."""
    await asyncio.sleep(CHECK_SECONDS * 1.1)


async def test_it_is_over_when_the_last_client_has_read() -> None:
    site, one, other = Site(2), Reader(), Reader()
    assert not site.pressure
    for reader in (one, other):
        site.pressure.on_behind(reader)
    site.pressure.on_caught_up(one)
    assert site.pressure
    site.pressure.on_caught_up(other)
    site.pressure.on_caught_up(other)  # it is gone, too
    assert not site.pressure
    await checked()
    assert site.overs == 1


@pytest.mark.parametrize(
    ("clients", "read", "holds"),
    [(1, 1, True), (2, 1, True), (3, 1, False), (1, 0, False), (1, -1, False)],
)
async def test_it_lasts_while_most_clients_are_behind_and_reading(
    clients: int, read: int, holds: bool
) -> None:
    site, reader = Site(clients), Reader()
    site.pressure.on_behind(reader)
    for _ in range(3):
        assert site.pressure
        reader.buffered_bytes -= read
        await checked()
        if not holds:
            break
    assert bool(site.pressure) is holds
    assert site.overs == (not holds)
    site.pressure.close()


async def test_one_that_has_stopped_reading_is_waited_for_once() -> None:
    site, reading, stuck = Site(2), Reader(), Reader()
    for reader in (reading, stuck):
        site.pressure.on_behind(reader)
    reading.buffered_bytes -= 1
    await checked()
    assert site.pressure
    site.pressure.on_caught_up(reading)
    assert not site.pressure  # the other no longer counts
    assert site.overs == 1


async def test_it_may_begin_again() -> None:
    site, reader = Site(1), Reader()
    for _ in range(2):
        site.pressure.on_behind(reader)
        await checked()
    assert site.overs == 2
    site.pressure.on_behind(reader)
    site.pressure.close()
    await checked()
    assert site.overs == 2
