"""Builds the gateway from its parts, starts it and closes it.

Crash-only: everything here comes back from the supervisor's report and from workers that
say hello again.
"""

from __future__ import annotations

import asyncio
import socket

import msgspec

from ipc.frames.bootstrap import GatewayBoot
from ipc.frames.websocket import MAX_PREAUTH_BYTES
from ipc.identity.peer import PeerProof
from ipc.websocket.connection import Connection
from ipc.websocket.demux import Limits
from ipc.websocket.server import Server
from runtime.config.model import GatewayConfig
from runtime.gateway import methods  # noqa: F401 - importing it fills the table
from runtime.gateway.accounts.account_calls import AccountCalls
from runtime.gateway.accounts.data_link import DataRouter
from runtime.gateway.accounts.fanout import Fanout
from runtime.gateway.accounts.peers import Peers
from runtime.gateway.certificate import Certificate
from runtime.gateway.clients.admission import Admission
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.http.late import LateEndpoints
from runtime.gateway.hub import Hub
from runtime.gateway.jobs import Jobs

ANSWER_SECONDS = 0.5  # at the end, for the answers to calls that fail with it


class GatewayTurn:
    """Ends a turn of the gateway's event loop: publish → calls → write → acknowledge.

    What workers have sent during the turn is published as events and leaves in the same write
    as all answers. Calls go to the workers before it, so that they work meanwhile. Messages
    are acknowledged last, once the clients' sockets have them.
    """

    def __init__(self, fanout: Fanout, data_link: DataRouter) -> None:
        self._fanout = fanout
        self._data_link = data_link

    def before_write(self) -> None:
        """Queue the events of this turn for the clients, and send its calls to the workers."""
        self._fanout.flush()
        self._data_link.send_calls()

    def after_write(self) -> None:
        """Acknowledge what the workers have sent."""
        self._data_link.acknowledge()


class Gateway:
    """One gateway process. ``hub`` is what its clients and methods share."""

    def __init__(self, boot: GatewayBoot, tasks: asyncio.TaskGroup) -> None:
        config = msgspec.convert(boot.gateway, GatewayConfig)
        tls = config.tls
        self._certificate = Certificate(tls.cert_path, tls.key_path) if tls.enabled else None
        self._jobs = Jobs(tasks)
        self.hub = Hub(boot, config, self._jobs)
        self._endpoints = LateEndpoints(self.hub) if config.http.enabled else None

    async def start(self, listen: socket.socket) -> None:
        """Serve workers, and clients on the listening socket ``listen``."""
        hub, limits = self.hub, self.hub.config.limits
        server = await Server.start(
            listen,
            on_connect=self._on_connect,
            on_text=lambda connection, data: None,
            on_close=self._on_close,
            refuse_head=hub.guard.hosts.refuse_head,
            http=None if self._endpoints is None else self._endpoints.protocol,
            tls=None if self._certificate is None else self._certificate.context,
            limits=Limits(
                handshake=hub.config.handshake_timeout_ms / 1000,
                preauth_bytes=MAX_PREAUTH_BYTES,
                preauth_per_address=limits.preauth_per_address,
                buffered_bytes=limits.buffered_bytes,
                buffered_total_bytes=limits.buffered_total_bytes,
            ),
        )
        peers = Peers(hub.accounts, PeerProof(hub.boot.secret))
        calls = AccountCalls(peers, server.flush_soon)
        data_link = DataRouter(
            hub.boot.data,
            hub.boot_id,
            peers=peers,
            calls=calls,
            rings=hub.rings,
            fanout=hub.fanout,
            output=server,
            on_message=hub.agents.on_message,
        )
        server.surround_writes(GatewayTurn(hub.fanout, data_link))
        hub.open(server, peers, calls, data_link)

    async def close(self) -> None:
        """Close everything at once: what is under way is answered, then all clients get 1012."""
        hub = self.hub
        hub.close()
        await hub.pairings_saved()
        await self._jobs.finish(ANSWER_SECONDS)
        await hub.server.close(1012, "service restart")
        if self._endpoints is not None:
            await self._endpoints.close()
        hub.data_link.close()
        await hub.pairings_saved()
        self._jobs.cancel()

    def _on_connect(self, connection: Connection) -> None:
        connection.data = None
        connection.receive = Admission(self.hub, connection).receive

    def _on_close(self, connection: Connection) -> None:
        if isinstance(connection.data, ConnectedClient):
            self.hub.remove(connection.data)
