"""Holds the connected clients of one gateway, counts what they do, and broadcasts to them.

It knows clients only as ``ClientView``, so it stands below everything that serves them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec

from ipc.epoch import now_ms
from ipc.frames.websocket import StateVersion, encode
from ipc.websocket.sending import LONG_BYTES
from runtime.gateway.access.client_view import ClientView
from runtime.gateway.access.refusals import KINDS
from runtime.gateway.access.scopes import READ, SUPERVISOR
from runtime.gateway.accounts.health import Health
from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.presence import Presence
from runtime.gateway.readiness import Readiness
from runtime.gateway.request_times import RequestTimes

PRESENCE_SECONDS = 1.0  # between two broadcasts of the presence
# Between two broadcasts of the health, at least: where a phase has changed, and where none has.
PHASE_SECONDS = 1.0
HEALTH_SECONDS = 5.0
GATHER_SECONDS = 0.05  # in which what changes together is waited for
HEALTH_BYTES = 10_000_000  # a second, over all clients: many accounts are shown less often


class Hub:
    """The connected clients, their counters, and the events for all of them.

    ``seq`` numbers the events of Protocol 3, over all clients. A ``tick`` is broadcast every
    ``tick_seconds``. ``times`` has how long requests took.
    """

    def __init__(
        self,
        accounts: Accounts,
        health: Health,
        presence: Presence,
        readiness: Readiness,
        tick_seconds: float,
    ) -> None:
        self._accounts = accounts
        self._health = health
        self._presence = presence
        self._readiness = readiness
        self._tick_seconds = tick_seconds
        self._loop = asyncio.get_running_loop()
        self.seq = 0
        self.times = RequestTimes()
        self._clients: set[ClientView] = set()
        self._malformed = 0
        self._requests_of_gone = self._failures_of_gone = 0
        self._refused: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
        self._presence_timer: asyncio.TimerHandle | None = None
        self._health_timer: asyncio.TimerHandle | None = None
        self._health_at = float("-inf")  # the loop's time of the last broadcast
        self._without_health: set[ClientView] = set()
        self._tick_timer = self._next_tick()

    @property
    def clients(self) -> Collection[ClientView]:
        """The connected clients, the supervisor among them."""
        return self._clients

    def add(self, client: ClientView) -> None:
        """Add a client that is about to get its hello."""
        self._clients.add(client)
        if self._presence.add(client):
            self.on_presence_changed()

    def remove(self, client: ClientView) -> None:
        """Remove a client whose connection has ended; its counters stay in the sums."""
        self._clients.discard(client)
        self._without_health.discard(client)
        self._requests_of_gone += client.asked
        self._failures_of_gone += client.failed
        if self._presence.remove(client):
            self.on_presence_changed()

    @property
    def has_clients(self) -> bool:
        """Whether there are others than the supervisor, for which events are worth making."""
        return any(client.role != SUPERVISOR for client in self._clients)

    @property
    def requests(self) -> int:
        """How many requests have been carried out, or begun."""
        return self._requests_of_gone + sum(client.asked for client in self._clients)

    @property
    def failures(self) -> int:
        """How many requests were answered with an error."""
        return self._failures_of_gone + sum(client.failed for client in self._clients)

    @property
    def malformed(self) -> int:
        """How many frames of clients were not JSON."""
        return self._malformed

    @property
    def refused(self) -> Mapping[str, int]:
        """How many handshakes were refused, by kind."""
        return self._refused

    def count_malformed(self) -> None:
        """Count a frame of a client that is not JSON."""
        self._malformed += 1

    def refuse(self, kind: str) -> None:
        """Count a refused handshake."""
        self._refused[kind] += 1

    def broadcast(
        self,
        name: str,
        payload: Any,
        *,
        scope: str | None = None,
        wanted: Callable[[ClientView], bool] = lambda client: True,
    ) -> None:
        """Send a numbered event to every client that may see it, and by which it is ``wanted``.

        ``payload`` is JSON data, or a function that returns it for a protocol. However many
        clients get it, it is encoded once for each protocol: an answer may be long.
        """
        self.seq += 1
        version = self.state_version() if name in ("presence", "health") else None
        encoded: dict[int, bytes] = {}
        for client in self._clients:
            if client.role == SUPERVISOR or not client.covers(scope) or not wanted(client):
                continue
            connection = client.connection
            if not connection.open:
                continue  # it was closed just now
            protocol = client.protocol if callable(payload) else 0
            if protocol not in encoded:
                shown = payload(protocol) if callable(payload) else payload
                encoded[protocol] = encode(shown)
            if len(encoded[protocol]) < LONG_BYTES:
                client.send_event(name, msgspec.Raw(encoded[protocol]), version)
                continue
            client.send_long_event(name, encoded[protocol], version)
            if connection.paused:  # by the end of the turn there may be dozens, all of them unread
                connection.write_out()

    def send_health(self, client: ClientView) -> None:
        """Send the event ``health`` to one client: it follows the hello."""
        self.seq += 1
        client.send_event("health", self._health.payload(client.protocol), self.state_version())

    def state_version(self) -> StateVersion:
        """Return how often presence and health have changed."""
        return StateVersion(self._presence.version, self._accounts.version)

    def on_presence_changed(self) -> None:
        """Broadcast the presence soon: once for all that changes meanwhile."""
        if self._presence_timer is None and not self._readiness.draining:
            self._presence_timer = self._loop.call_later(PRESENCE_SECONDS, self._broadcast_presence)

    def choose_health(self, client: ClientView, wanted: bool) -> None:
        """Send ``client`` the changes of the health, or no more of them."""
        if wanted:
            self._without_health.discard(client)
        else:
            self._without_health.add(client)

    def on_health_changed(self, *, at_once: bool) -> None:
        """Broadcast the health of the accounts: once for all that changes meanwhile.

        ``at_once``: a phase has changed, which clients must not learn late.
        """
        if self._readiness.draining:
            return
        size = self._health.size * (len(self._clients) - len(self._without_health))
        pause = max(PHASE_SECONDS if at_once else HEALTH_SECONDS, size / HEALTH_BYTES)
        due = max(self._loop.time() + GATHER_SECONDS, self._health_at + pause)
        if self._health_timer is not None:
            if self._health_timer.when() <= due:
                return
            self._health_timer.cancel()
        self._health_timer = self._loop.call_at(due, self._broadcast_health)

    def close(self) -> None:
        """Stop the timers."""
        for timer in (self._tick_timer, self._presence_timer, self._health_timer):
            if timer is not None:
                timer.cancel()

    def _next_tick(self) -> asyncio.TimerHandle:
        return self._loop.call_later(self._tick_seconds, self._broadcast_tick)

    def _broadcast_tick(self) -> None:
        self._tick_timer = self._next_tick()
        self.broadcast("tick", {"ts": now_ms()})

    def _broadcast_presence(self) -> None:
        self._presence_timer = None
        self.broadcast("presence", lambda p: {"presence": self._presence.rows(p)}, scope=READ)

    def _broadcast_health(self) -> None:
        self._health_timer = None
        self._health_at = self._loop.time()
        without = self._without_health
        self.broadcast("health", self._health.payload, wanted=lambda each: each not in without)
