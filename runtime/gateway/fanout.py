"""Events to clients.

Our own events are the same bytes for everyone: each is made once, those of one turn of the
event loop are joined once per group of equal subscriptions, and every client gets one write
(a write per frame costs 8 to 20 times as much, PERFORMANCE 1c). The events of the OpenClaw
protocol are rare and numbered, so they are made per client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ipc.wsserver import frame

if TYPE_CHECKING:
    from runtime.gateway.client import Client

STATUS = "channel.status"
MESSAGE = "channel.message"
REMOVED = "channel.removed"
GAP = "channel.gap"  # to one client: more is missing than can be replayed
OWN_EVENTS = frozenset({STATUS, MESSAGE, REMOVED, GAP})


class Group:
    """The clients that want exactly the same. ``accounts`` of ``None`` means all."""

    __slots__ = ("accounts", "clients", "events", "pending")

    def __init__(self, accounts: frozenset[str] | None, events: frozenset[str]) -> None:
        self.accounts = accounts
        self.events = events
        self.clients: set[Client] = set()
        self.pending: list[bytes] = []

    def wants(self, key: str, event: str) -> bool:
        """Say whether an event of the account ``key`` belongs to this group."""
        return event in self.events and (self.accounts is None or key in self.accounts)


class Fanout:
    """Who gets which of our own events. ``published`` and ``delivered`` only grow."""

    def __init__(self, flush_soon: Callable[[], None]) -> None:
        self._flush_soon = flush_soon
        self._groups: dict[tuple[frozenset[str] | None, frozenset[str]], Group] = {}
        self._of_client: dict[Client, Group] = {}
        self._routes: dict[tuple[str, str], list[Group]] = {}  # forgotten when groups change
        self.published = 0
        self.delivered = 0

    # The hot path

    def publish(self, key: str, event: str, framed: list[bytes]) -> None:
        """Queue ready frames for whoever wants them; ``flush`` sends them in this turn."""
        groups = self._routes.get((key, event))
        if groups is None:
            groups = self._route(key, event)
        for group in groups:
            group.pending += framed
        self.published += len(framed)

    def flush(self) -> None:
        """Join what is pending and hand it to the clients' output."""
        for group in self._groups.values():
            if pending := group.pending:
                joined = pending[0] if len(pending) == 1 else b"".join(pending)
                self.delivered += len(pending) * len(group.clients)
                group.pending = []
                for client in group.clients:
                    client.connection.send_framed(joined)

    # Beside it

    def publish_payload(self, key: str, event: str, payload: bytes) -> None:
        """Publish JSON text as an event."""
        self.publish(key, event, [event_frame(event, payload)])
        self._flush_soon()

    def subscribe(
        self, client: Client, accounts: Iterable[str] | None, events: Iterable[str]
    ) -> None:
        """Let ``client`` have these events from now on, instead of what it had before."""
        self.flush()  # what is pending belongs to the time before
        self.unsubscribe(client)
        wanted = (None if accounts is None else frozenset(accounts), frozenset(events))
        group = self._groups.get(wanted)
        if group is None:
            group = self._groups[wanted] = Group(*wanted)
            self._routes.clear()
        group.clients.add(client)
        self._of_client[client] = group

    def unsubscribe(self, client: Client) -> None:
        """Send nothing more to ``client``."""
        group = self._of_client.pop(client, None)
        if group is None:
            return
        group.clients.discard(client)
        if not group.clients:
            del self._groups[group.accounts, group.events]
            self._routes.clear()

    def _route(self, key: str, event: str) -> list[Group]:
        groups = [group for group in self._groups.values() if group.wants(key, event)]
        self._routes[key, event] = groups
        return groups


def event_frame(event: str, payload: bytes) -> bytes:
    """Return an event without number as one WebSocket frame; ``payload`` is JSON text."""
    return frame(b'{"type":"event","event":"%b","payload":%b}' % (event.encode(), payload))


def message_frame(payload: bytes) -> bytes:
    """Return ``event_frame`` of a ``channel.message``, which is nearly every event there is: made
    in one step instead of three.
    """
    length = len(payload) + _AROUND_BYTES
    if 126 <= length < 65536:
        return b'\x81\x7e%c%c{"type":"event","event":"channel.message","payload":%b}' % (
            length >> 8,
            length & 255,
            payload,
        )
    return event_frame(MESSAGE, payload)


_AROUND_BYTES = len('{"type":"event","event":"channel.message","payload":}')
