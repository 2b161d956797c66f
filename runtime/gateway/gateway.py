"""The gateway as a whole: its parts, put together, and what concerns several of them.

Crash-only: everything here comes back from the supervisor's report and from workers that
say hello again.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from ipc.frames.bootstrap import GatewayBoot
from ipc.frames.websocket import MAX_PREAUTH_BYTES, StateVersion
from ipc.websocket.server import Connection, Limits, Server
from runtime.config.model import GatewayConfig
from runtime.gateway.access.auth import Secrets
from runtime.gateway.access.origin import TrustedProxies
from runtime.gateway.access.scopes import NODE, READ, SUPERVISOR
from runtime.gateway.access.throttle import Throttle
from runtime.gateway.accounts.agents import Agents
from runtime.gateway.accounts.data_link import Workers
from runtime.gateway.accounts.fanout import OWN_EVENTS, Fanout
from runtime.gateway.accounts.health import Health
from runtime.gateway.accounts.ring import Rings
from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.certificate import Certificate
from runtime.gateway.clients.admission import Admission, Admitted
from runtime.gateway.clients.client import Client
from runtime.gateway.devices.devices import Devices
from runtime.gateway.devices.nodes import Nodes
from runtime.gateway.devices.registry import Registry
from runtime.gateway.http.late import LatePages
from runtime.gateway.jobs import Jobs
from runtime.gateway.pairing import INVALIDATED, now_ms, tell_node_requested
from runtime.gateway.presence import Presence
from runtime.gateway.stability import Stability
from runtime.gateway.supervisor_session import Session
from workers.secrets import reveal

CHANNEL_EVENTS = "channel-events"  # the capability that subscribes to all of our own events
PRESENCE_SECONDS = 1.0
HEALTH_SECONDS = 1.0
TELL_SECONDS = 0.5  # for clients to be told of calls that take too long
HEALTH_BYTES = 10_000_000  # a second, over all clients: a large house is pictured less often


class Gateway:
    """``informed`` since the supervisor's first whole report; ``draining`` since SIGTERM;
    ``leaving`` once nothing is carried out any more.
    """

    server: Server
    workers: Workers

    def __init__(self, boot: GatewayBoot, tasks: asyncio.TaskGroup) -> None:
        self.boot = boot
        self.version = boot.version
        self.revision = boot.revision  # of the configuration, as clients are told it
        self.config = msgspec.convert(boot.gateway, GatewayConfig)
        self.loop = asyncio.get_running_loop()
        self.jobs = Jobs(tasks)
        self.began = self.loop.time()
        self.boot_id = secrets.token_hex(16)
        auth = self.config.auth
        self.secrets = Secrets(
            boot.session_token,
            None if auth.token is None else reveal(auth.token),
            None if auth.password is None else reveal(auth.password),
            auth.mode,
        )
        self.proxies = TrustedProxies(self.config.trusted_proxies)
        tls = self.config.tls
        self.certificate = Certificate(tls.cert_path, tls.key_path) if tls.enabled else None
        rate = auth.rate_limit
        self.throttle = Throttle(
            attempts=rate.max_attempts,
            window=rate.window_ms / 1000,
            lockout=rate.lockout_ms / 1000,
            exempt_loopback=rate.exempt_loopback,
        )
        self.accounts = Accounts(boot.channels)
        self.health = Health(self.accounts, boot.version)
        self.presence = Presence(boot.version, self.boot_id)
        self.stability = Stability()
        self.state_dir = Path(boot.state_dir)
        self.registry = Registry(self.state_dir / "devices.json", self.jobs)
        self.devices = Devices(self.registry)
        self.nodes = Nodes(self.registry, self.config.nodes, self.boot_id[:8])
        self.session = Session()
        self.agents = Agents(boot.agents, self.jobs)
        limits = self.config.limits
        self.rings = Rings(limits.ring_messages, limits.ring_bytes)
        self.fanout = Fanout(lambda: self.server.flush_soon())
        self.pages = LatePages(self) if self.config.http.enabled else None
        self.clients: set[Client] = set()
        self.admissions: set[Admission] = set()
        self.informed = self.draining = self.leaving = False
        self.restarting = True
        self.seq = 0  # Protocol 3 numbers events over all clients
        self.failures = self.malformed = 0
        self._requests_of_gone = 0
        self.refused: Counter[str] = Counter()
        self._presence_due = self._health_due = False
        self._tick = self.loop.call_later(self.config.tick_interval_ms / 1000, self._tell_tick)

    async def start(self, listen: socket.socket) -> None:
        """Serve workers and clients."""
        limits = self.config.limits
        self.server = await Server.start(
            listen,
            on_connect=self._on_connect,
            on_text=lambda connection, data: None,
            on_close=self._on_close,
            http=None if self.pages is None else self.pages.protocol,
            tls=None if self.certificate is None else self.certificate.context,
            limits=Limits(
                handshake=self.config.handshake_timeout_ms / 1000,
                preauth_bytes=MAX_PREAUTH_BYTES,
                preauth_per_address=limits.preauth_per_address,
                buffered_bytes=limits.buffered_bytes,
                buffered_total_bytes=limits.buffered_total_bytes,
            ),
        )
        self.workers = Workers(
            self.boot.data,
            self.boot.secret,
            self.boot_id,
            accounts=self.accounts,
            rings=self.rings,
            fanout=self.fanout,
            flush_soon=self.server.flush_soon,
            held=lambda: self.server.patient,
            on_message=lambda *message: self.agents.heard(self.workers, *message),
        )
        self.server.before_flush = [self.fanout.flush, self.workers.send_calls]
        self.server.after_flush = [self.workers.acknowledge]

    # Clients

    @property
    def requests(self) -> int:
        """How many requests have been carried out, or begun."""
        return self._requests_of_gone + sum(client.asked for client in self.clients)

    def _on_connect(self, connection: Connection) -> None:
        connection.data = None
        connection.receive = Admission(self, connection).receive

    def add_client(self, connection: Connection, admitted: Admitted) -> Client:
        """Enter a client that is about to get its hello."""
        client = connection.data = Client(self, connection, admitted)
        self.clients.add(client)
        if self.presence.add(client):
            self.presence_changed()
        return client

    def welcome_client(self, client: Client) -> None:
        """Do what follows the hello: the event ``health``, and its subscription."""
        if client.role == SUPERVISOR:
            self.session.open(client)
            return
        self.seq += 1
        client.tell("health", self.health.payload(client.protocol), self.state_version())
        if client.role == NODE:
            self._enter_node(client)
        if CHANNEL_EVENTS in client.connect.caps and client.covers(READ):
            self.fanout.subscribe(client, None, OWN_EVENTS)

    def _enter_node(self, client: Client) -> None:
        request, older = self.nodes.enter(client, now_ms())
        if older is not None:
            older.connection.close(INVALIDATED, "client invalidated: node connected anew")
        if request is not None:
            tell_node_requested(self, request)

    def _on_close(self, connection: Connection) -> None:
        client = connection.data
        if not isinstance(client, Client):
            return
        self.clients.discard(client)
        self._requests_of_gone += client.asked
        self.fanout.unsubscribe(client)
        self.session.close(client)
        self.nodes.leave(client, now_ms())
        if self.presence.remove(client):
            self.presence_changed()

    def broadcast(self, name: str, payload: Any, *, scope: str | None = None) -> None:
        """Send a numbered event to everybody who may see it."""
        self.seq += 1
        version = self.state_version() if name in ("presence", "health") else None
        for client in self.clients:
            if client.role != SUPERVISOR and client.covers(scope):
                shown = payload(client.protocol) if callable(payload) else payload
                client.tell(name, shown, version)

    def state_version(self) -> StateVersion:
        """Return how often presence and health have changed."""
        return StateVersion(self.presence.version, self.accounts.version)

    def now_informed(self) -> None:
        """The supervisor has reported everything: let in who waits."""
        if not self.informed:
            self.informed = True
            waiting, self.admissions = self.admissions, set()
            for admission in waiting:
                admission.proceed()

    # Events of the protocol

    def _tell_tick(self) -> None:
        self._tick = self.loop.call_later(self.config.tick_interval_ms / 1000, self._tell_tick)
        self.broadcast("tick", {"ts": int(time.time() * 1000)})

    def presence_changed(self) -> None:
        """Tell everybody soon who is here."""
        if not self._presence_due and not self.draining:
            self._presence_due = True
            self._presence_timer = self.loop.call_later(PRESENCE_SECONDS, self._tell_presence)

    def _tell_presence(self) -> None:
        self._presence_due = False
        self.broadcast("presence", lambda p: {"presence": self.presence.rows(p)}, scope=READ)

    def health_changed(self) -> None:
        """Tell everybody soon how the accounts are: one picture for all that changes meanwhile."""
        if not self._health_due and not self.draining:
            self._health_due = True
            size = self.health.size * len(self.clients)
            wait = max(HEALTH_SECONDS, size / HEALTH_BYTES)
            self._health_timer = self.loop.call_later(wait, self._tell_health)

    def _tell_health(self) -> None:
        self._health_due = False
        self.broadcast("health", self.health.payload)

    # The end

    async def close(self) -> None:
        """Close everything at once: what is under way is answered, then everybody gets 1012."""
        self._tick.cancel()
        if self._presence_due:
            self._presence_timer.cancel()
        if self._health_due:
            self._health_timer.cancel()
        for calls in (self.workers.calls, self.session.calls, self.nodes.calls):
            calls.fail_all()
        await self.registry.saved()
        await self.jobs.finish(TELL_SECONDS)
        await self.server.close(1012, "service restart")
        if self.pages is not None:
            await self.pages.close()
        self.workers.close()
        await self.registry.saved()
        self.jobs.cancel()
