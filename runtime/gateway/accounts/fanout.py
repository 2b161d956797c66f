"""Sends our own events to the clients that subscribe to them.

Our own events are the same bytes for everyone: each is made once, those of one turn of the
event loop are joined once per group of equal subscriptions, and every client gets one write
(a write per frame costs 8 to 20 times as much). The events of the OpenClaw
protocol are rare and numbered, so they are made per client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ipc.frames.data import HAPPENED, flag_table
from ipc.websocket.sending import frame
from runtime.gateway.access.client_view import ClientView

STATUS = "channel.status"
MESSAGE = "channel.message"
EVENT = "channel.event"  # what else has happened on the platform
REMOVED = "channel.removed"
LOGIN = "channel.login"  # a person is asked to log an account in, or is asked no more
AGENT_STATUS = "agent.status"
AGENT_REMOVED = "agent.removed"
FIGURES = "channel.figures"  # to clients that request it, at their own pace
GAP = "channel.gap"  # to one client: more is missing than can be replayed
OWN_EVENTS = frozenset({STATUS, MESSAGE, EVENT, LOGIN, REMOVED, AGENT_STATUS, AGENT_REMOVED, GAP})


class Subscribers:
    """The clients with exactly the same subscription. ``accounts`` of ``None`` means all."""

    __slots__ = ("accounts", "clients", "count", "events", "pending")

    def __init__(self, accounts: frozenset[str] | None, events: frozenset[str]) -> None:
        self.accounts = accounts
        self.events = events
        self.clients: set[ClientView] = set()
        self.pending: list[bytes] = []  # pieces of frames
        self.count = 0  # frames that they make

    def wants(self, key: str, event: str) -> bool:
        """Return whether an event of the account ``key`` belongs to this subscription."""
        return event in self.events and (self.accounts is None or key in self.accounts)


class Fanout:
    """The subscriptions to our own events.

    ``published`` counts events, ``delivered`` events times clients; both only grow.
    """

    def __init__(self, flush_soon: Callable[[], None]) -> None:
        self._flush_soon = flush_soon
        self._groups: dict[tuple[frozenset[str] | None, frozenset[str]], Subscribers] = {}
        self._of_client: dict[ClientView, Subscribers] = {}
        self._routes: dict[tuple[str, str], list[Subscribers]] = {}  # forgotten when groups change
        self.published = 0
        self.delivered = 0

    def publish(self, key: str, event: str, pieces: list[bytes], count: int) -> None:
        """Queue ``count`` frames for their subscribers; ``flush`` sends them in this turn."""
        self._queue(self._groups_of(key, event), pieces, count)

    def publish_pack(self, key: str, flags: bytes, payloads: list[bytes]) -> None:
        """Queue the events that an account has emitted: messages and others."""
        if 1 not in flags.translate(_IS_HAPPENED):
            groups = self._groups_of(key, MESSAGE)
            pieces = message_frames(payloads) if groups else []  # none are made for no client
            self._queue(groups, pieces, len(payloads))
            return
        for each, payload in zip(flags, payloads, strict=True):
            if each & HAPPENED:
                self.publish(key, EVENT, [event_frame(EVENT, payload)], 1)
            else:
                self.publish(key, MESSAGE, message_frames([payload]), 1)

    def flush(self) -> None:
        """Join the pending frames and queue them for the clients."""
        for group in self._groups.values():
            if group.pending:
                joined = b"".join(group.pending)
                self.delivered += group.count * len(group.clients)
                group.pending, group.count = [], 0
                for client in group.clients:
                    client.connection.send_framed(joined)

    def publish_payload(self, key: str, event: str, payload: bytes) -> None:
        """Publish JSON text as an event."""
        self.publish(key, event, [event_frame(event, payload)], 1)
        self._flush_soon()

    def subscribe(
        self, client: ClientView, accounts: Iterable[str] | None, events: Iterable[str]
    ) -> None:
        """Subscribe ``client`` to these events, replacing its present subscription."""
        self.flush()  # what is pending belongs to the time before
        self.unsubscribe(client)
        wanted = (None if accounts is None else frozenset(accounts), frozenset(events))
        group = self._groups.get(wanted)
        if group is None:
            group = self._groups[wanted] = Subscribers(*wanted)
            self._routes.clear()
        group.clients.add(client)
        self._of_client[client] = group

    def unsubscribe(self, client: ClientView) -> bool:
        """End the subscription of ``client``; return whether it had one."""
        group = self._of_client.pop(client, None)
        if group is None:
            return False
        group.clients.discard(client)
        if not group.clients:
            del self._groups[group.accounts, group.events]
            self._routes.clear()
        return True

    def forget(self, key: str) -> None:
        """Send what is pending, then drop the routes of a removed account."""
        for event in OWN_EVENTS:
            self._routes.pop((key, event), None)

    def _queue(self, groups: list[Subscribers], pieces: list[bytes], count: int) -> None:
        for group in groups:
            group.pending += pieces
            group.count += count
        self.published += count

    def _groups_of(self, key: str, event: str) -> list[Subscribers]:
        groups = self._routes.get((key, event))
        if groups is None:
            groups = [group for group in self._groups.values() if group.wants(key, event)]
            self._routes[key, event] = groups
        return groups


def event_frame(event: str, payload: bytes) -> bytes:
    """Return an event without number as one WebSocket frame; ``payload`` is JSON text."""
    return frame(b'{"type":"event","event":"%b","payload":%b}' % (event.encode(), payload))


def event_of(payload: bytes) -> str:
    """Return the event name of a kept payload: ``channel.message`` or ``channel.event``."""
    return MESSAGE if _DIRECTION in payload[:_HEAD_BYTES] else EVENT


class _Heads(dict[int, bytes]):
    """What goes before a payload of so many bytes. It is the header of the WebSocket frame (RFC
    6455 section 5.2) and the beginning of the event.
    """

    def __missing__(self, length: int) -> bytes:
        if len(self) >= _MOST_HEADS:
            self.clear()
        whole = frame(_BEFORE + bytes(length) + _AFTER)
        head = self[length] = whole[: len(whole) - length - len(_AFTER)]
        return head


# A message has it behind the account's three names, an event has not; within a text it would
# have its quotes escaped.
_DIRECTION, _HEAD_BYTES = b'"direction":', 512
_IS_HAPPENED = flag_table(HAPPENED)
_BEFORE, _AFTER = b'{"type":"event","event":"channel.message","payload":', b"}"
_MOST_HEADS = 4096  # messages of an account have few lengths; this is 0.6 MiB at most
_head_of = _Heads().__getitem__


def message_frames(payloads: list[bytes]) -> list[bytes]:
    """Return the pieces of ``channel.message`` frames, to be joined when they are sent.

    Three pieces per message, in slices, instead of one made by formatting: a tenth of the time,
    and the payload, which the ring keeps, is copied only into what is written.
    """
    pieces = [_AFTER] * (3 * len(payloads))
    pieces[::3] = map(_head_of, map(len, payloads))
    pieces[1::3] = payloads
    return pieces
