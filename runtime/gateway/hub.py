"""Holds what the clients, methods, endpoints and reports of one gateway share.

The gateway builds it, and everything that serves clients works on it: the accounts and the
links to workers and supervisor, the connected clients, the counters, and the events for all
clients. It knows clients only as ``ClientView``, so it stands below all of them.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ipc.frames.bootstrap import GatewayBoot
from ipc.frames.websocket import StateVersion
from ipc.websocket.server import Server
from runtime.config.model import GatewayConfig
from runtime.gateway.access.client_view import ClientView, WaitingAdmission
from runtime.gateway.access.guard import AccessGuard
from runtime.gateway.access.scopes import READ, SUPERVISOR
from runtime.gateway.accounts.account_calls import AccountCalls
from runtime.gateway.accounts.agents import Agents
from runtime.gateway.accounts.data_link import DataRouter
from runtime.gateway.accounts.fanout import Fanout
from runtime.gateway.accounts.health import Health
from runtime.gateway.accounts.peers import Peers
from runtime.gateway.accounts.ring import Rings
from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.devices.devices import Devices
from runtime.gateway.devices.nodes import Nodes
from runtime.gateway.devices.registry import Registry
from runtime.gateway.jobs import Jobs
from runtime.gateway.presence import Presence
from runtime.gateway.stability import Stability
from runtime.gateway.supervisor_link import ASK_SECONDS, SupervisorLink

PRESENCE_SECONDS = 1.0  # between two broadcasts of the presence
HEALTH_SECONDS = 1.0  # between two broadcasts of the health, at least
HEALTH_BYTES = 10_000_000  # a second, over all clients: many accounts are shown less often


class Hub:
    """The shared parts of a gateway, its clients and its counters.

    ``informed`` is true since the supervisor's first whole report; ``draining`` since SIGTERM;
    ``leaving`` once no request is carried out any more. ``restarting`` says whether a
    successor is expected. ``seq`` numbers the events of Protocol 3, over all clients.
    ``now()`` is the loop's time in seconds. ``server``, ``calls``, ``peers`` and ``data_link``
    exist once ``open`` has been called.
    """

    server: Server
    peers: Peers
    calls: AccountCalls
    data_link: DataRouter

    def __init__(self, boot: GatewayBoot, config: GatewayConfig, jobs: Jobs) -> None:
        self.boot = boot
        self.config = config
        self.jobs = jobs
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time
        self._began = self.now()
        self.boot_id = secrets.token_hex(16)
        self.revision = boot.revision  # of the configuration, as clients see it
        self.guard = AccessGuard(config, boot.session_token, self.now)
        self.accounts = Accounts(boot.channels)
        self.health = Health(self.accounts, boot.version)
        self.presence = Presence(boot.version, self.boot_id)
        self.stability = Stability()
        self._registry = Registry(Path(boot.state_dir) / "devices.json")
        self.devices = Devices(self._registry)
        self.nodes = Nodes(self._registry, config.nodes, self.boot_id[:8])
        self.supervisor = SupervisorLink()
        self.agents = Agents(boot.agents, jobs, self.call_account)
        self.rings = Rings(config.limits.ring_messages, config.limits.ring_bytes)
        self.fanout = Fanout(lambda: self.server.flush_soon())
        self.informed = self.draining = self.leaving = False
        self.restarting = True
        self.seq = 0
        self._clients: set[ClientView] = set()
        self._admissions: set[WaitingAdmission] = set()
        self._malformed = 0
        self._requests_of_gone = self._failures_of_gone = 0
        self._refused: Counter[str] = Counter()
        self._presence_timer: asyncio.TimerHandle | None = None
        self._health_timer: asyncio.TimerHandle | None = None
        self._tick_timer = self._next_tick()

    def open(
        self, server: Server, peers: Peers, calls: AccountCalls, data_link: DataRouter
    ) -> None:
        """Take the parts that exist only once the gateway serves."""
        self.server = server
        self.peers = peers
        self.calls = calls
        self.data_link = data_link

    @property
    def clients(self) -> Collection[ClientView]:
        """The connected clients, the supervisor among them."""
        return self._clients

    def add(self, client: ClientView) -> None:
        """Enter a client that is about to get its hello."""
        self._clients.add(client)
        if self.presence.add(client):
            self.presence_changed()

    def remove(self, client: ClientView) -> None:
        """Remove a client whose connection has ended, wherever it stands."""
        self._clients.discard(client)
        self._requests_of_gone += client.asked
        self._failures_of_gone += client.failed
        self.fanout.unsubscribe(client)
        self.supervisor.close(client)
        self.nodes.leave(client, int(time.time() * 1000))
        if self.presence.remove(client):
            self.presence_changed()

    @property
    def admissions(self) -> Collection[WaitingAdmission]:
        """The admissions that wait for the first report."""
        return self._admissions

    def wait_for_report(self, admission: WaitingAdmission) -> None:
        """Have ``admission`` proceed after the first whole report of the supervisor."""
        self._admissions.add(admission)

    def wait_no_more(self, admission: WaitingAdmission) -> None:
        """Forget an admission that has been refused."""
        self._admissions.discard(admission)

    def ask_supervisor(
        self, method: str, params: Any, seconds: float = ASK_SECONDS
    ) -> Awaitable[msgspec.Raw]:
        """Return the supervisor's answer as JSON text, as ``SupervisorLink.ask_raw``."""
        return self.supervisor.ask_raw(method, params, seconds)

    def call_account(
        self, key: str, method: str, params: bytes, seconds: float
    ) -> Awaitable[bytes]:
        """Return an account's answer as JSON text, as ``AccountCalls.call``."""
        return self.calls.call(key, method, params, seconds)

    def pairings_saved(self) -> Awaitable[None]:
        """Return once every change of devices and nodes so far is on disk."""
        return self._registry.saved()

    def now_informed(self) -> None:
        """Admit the clients that wait for the first whole report, which has arrived."""
        if not self.informed:
            self.informed = True
            waiting, self._admissions = self._admissions, set()
            for admission in waiting:
                admission.proceed()

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

    def dropped(self) -> dict[str, int]:
        """Return what has been dropped, by reason: messages of workers, and slow clients."""
        return dict(self.data_link.dropped) | {"slow client": self.server.slow}

    def received_malformed(self) -> None:
        """Count a frame of a client that is not JSON."""
        self._malformed += 1

    def refuse(self, kind: str) -> None:
        """Count a refused handshake."""
        self._refused[kind] += 1
        self.stability.note("client.refused", reason=kind)

    def broadcast(self, name: str, payload: Any, *, scope: str | None = None) -> None:
        """Send a numbered event to every client that may see it.

        ``payload`` is JSON data, or a function that returns it for a protocol.
        """
        self.seq += 1
        version = self.state_version() if name in ("presence", "health") else None
        for client in self._clients:
            if client.role != SUPERVISOR and client.covers(scope):
                shown = payload(client.protocol) if callable(payload) else payload
                client.send_event(name, shown, version)

    def send_health(self, client: ClientView) -> None:
        """Send the event ``health`` to one client: it follows the hello."""
        self.seq += 1
        client.send_event("health", self.health.payload(client.protocol), self.state_version())

    def uptime_ms(self) -> int:
        """Return for how long the gateway has been up."""
        return int((self.now() - self._began) * 1000)

    def state_version(self) -> StateVersion:
        """Return how often presence and health have changed."""
        return StateVersion(self.presence.version, self.accounts.version)

    def revise(self, revision: str) -> None:
        """Take the revision of a new configuration and tell clients of it."""
        self.revision = revision
        told = {"path": self.boot.config_path, "hash": revision, "ts": int(time.time() * 1000)}
        self.broadcast("config.changed", told, scope=READ)

    def presence_changed(self) -> None:
        """Broadcast the presence soon: once for all that changes meanwhile."""
        if self._presence_timer is None and not self.draining:
            self._presence_timer = self.loop.call_later(PRESENCE_SECONDS, self._broadcast_presence)

    def health_changed(self) -> None:
        """Broadcast the health of the accounts soon: once for all that changes meanwhile."""
        if self._health_timer is None and not self.draining:
            size = self.health.size * len(self._clients)
            wait = max(HEALTH_SECONDS, size / HEALTH_BYTES)
            self._health_timer = self.loop.call_later(wait, self._broadcast_health)

    def expect_end(self, *, restarting: bool) -> None:
        """Learn whether the end that the supervisor announces is followed by a new start."""
        self.restarting = restarting

    def start_draining(self) -> None:
        """Admit no more clients, and broadcast no more changes."""
        self.draining = True

    def leave(self) -> None:
        """Carry out no more requests."""
        self.leaving = True

    def close(self) -> None:
        """Stop the timers, and fail every call that waits for an answer."""
        for timer in (self._tick_timer, self._presence_timer, self._health_timer):
            if timer is not None:
                timer.cancel()
        for calls in (self.calls, self.supervisor.calls, self.nodes.calls):
            calls.fail_all()

    def _next_tick(self) -> asyncio.TimerHandle:
        return self.loop.call_later(self.config.tick_interval_ms / 1000, self._broadcast_tick)

    def _broadcast_tick(self) -> None:
        self._tick_timer = self._next_tick()
        self.broadcast("tick", {"ts": int(time.time() * 1000)})

    def _broadcast_presence(self) -> None:
        self._presence_timer = None
        self.broadcast("presence", lambda p: {"presence": self.presence.rows(p)}, scope=READ)

    def _broadcast_health(self) -> None:
        self._health_timer = None
        self.broadcast("health", self.health.payload)
