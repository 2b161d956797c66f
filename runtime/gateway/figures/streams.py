"""Sends ``channel.figures`` to the clients that subscribe to it, each at the pace it asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from ipc.epoch import now_ms
from runtime.gateway.access.client_view import ClientView
from runtime.gateway.accounts.fanout import FIGURES, event_frame
from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.figures.columns import FigureColumns


class FigureStreams:
    """The subscriptions to the figures; clients with the same pace share the frames."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._streams: dict[int, _Stream] = {}  # by pace in milliseconds
        self._of_client: dict[ClientView, int] = {}

    @property
    def paces(self) -> list[int]:
        """The intervals in milliseconds of all subscriptions."""
        return list(self._streams)

    def subscribe(self, client: ClientView, every_ms: int) -> None:
        """Send ``client`` the figures now and then at an interval in milliseconds."""
        self.unsubscribe(client)
        stream = self._streams.get(every_ms)
        if stream is None:
            stream = self._streams[every_ms] = _Stream(self._accounts, every_ms / 1000)
        self._of_client[client] = every_ms
        stream.add(client)

    def unsubscribe(self, client: ClientView) -> None:
        """End the subscription of ``client``."""
        every_ms = self._of_client.pop(client, None)
        if every_ms is not None and self._streams[every_ms].remove(client):
            del self._streams[every_ms]

    def close(self) -> None:
        """Stop sending."""
        for client in list(self._of_client):
            self.unsubscribe(client)


class _Stream:
    """The clients that share a pace, and what they have been sent."""

    def __init__(self, accounts: Accounts, seconds: float) -> None:
        self._accounts = accounts
        self._seconds = seconds
        self._columns = FigureColumns()
        self._clients: set[ClientView] = set()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._on_timer)
        self._columns.next(accounts.every_row(), now_ms())

    def add(self, client: ClientView) -> None:
        self._clients.add(client)
        _send([client], self._columns.whole(now_ms()))

    def remove(self, client: ClientView) -> bool:
        """Remove a client; return whether it was the last one, with which the stream ends."""
        self._clients.discard(client)
        if not self._clients:
            self._timer.cancel()
        return not self._clients

    def _on_timer(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._on_timer)
        _send(self._clients, self._columns.next(self._accounts.every_row(), now_ms()))


def _send(clients: Iterable[ClientView], payload: dict[str, Any]) -> None:
    """Send the same bytes to all of them."""
    framed = event_frame(FIGURES, msgspec.json.encode(payload))
    for client in clients:
        client.connection.send_framed(framed)
