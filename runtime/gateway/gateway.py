"""Builds the gateway from its parts, starts it and closes it.

Crash-only: everything here comes back from the supervisor's report and from workers that
say hello again.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from time import perf_counter

import msgspec
import structlog

from ipc.epoch import now_ms
from ipc.errors import IpcError
from ipc.frames.bootstrap import GatewayBoot
from ipc.frames.websocket import MAX_PREAUTH_BYTES
from ipc.websocket.connection import Connection
from ipc.websocket.demux import Limits
from ipc.websocket.server import Server
from ipc.websocket.young_sockets import SlotSource
from runtime.config.gateway_model import GatewayConfig
from runtime.gateway import methods  # noqa: F401 - importing it fills the table
from runtime.gateway.access.guard import AccessGuard
from runtime.gateway.accounts.data_link import DataRouter
from runtime.gateway.accounts.fanout import Fanout
from runtime.gateway.accounts.intake import Intake
from runtime.gateway.assembly import Assembly
from runtime.gateway.certificate import Certificate
from runtime.gateway.clients.admission import Admission
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.file_limit import FileWatch, open_file_limit, shares
from runtime.gateway.http.late import LateEndpoints
from runtime.gateway.jobs import Jobs
from runtime.gateway.parts import GatewayParts
from runtime.gateway.request_times import RequestTimes

# On the canvas host's own port.
NO_WEBSOCKET = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
WARN_SECONDS = 2.0  # until a warning is sent again that the supervisor was not there for
log = structlog.get_logger("gateway")

ANSWER_SECONDS = 0.5  # at the end, for the answers to calls that fail with it


class GatewayTurn:
    """Ends a turn of the gateway's event loop: store → publish → calls → write → acknowledge.

    What workers have sent during the turn is published as events and leaves in the same write
    as all answers. Calls go to the workers before it, so that they work meanwhile. Messages
    are acknowledged last, once the clients' sockets have them.
    """

    def __init__(
        self, fanout: Fanout, data_link: DataRouter, intake: Intake, times: RequestTimes
    ) -> None:
        self._fanout = fanout
        self._data_link = data_link
        self._intake = intake
        self._times = times

    def before_write(self) -> None:
        """Queue the events of this turn for the clients, and send its calls to the workers.

        What must be stored first goes to the journal; it is published in a later turn.
        """
        self._intake.flush()
        self._fanout.flush()
        self._data_link.send_calls()

    def after_write(self) -> None:
        """Acknowledge what the workers have sent, and count the requests that were answered."""
        self._data_link.acknowledge()
        if self._times.leaving:
            self._times.on_sent(perf_counter())


class Gateway:
    """One gateway process; its ``parts`` exist once it has been started.

    ``on_failure(why, final)`` is called when it cannot go on; ``final``: nor could the next one.
    """

    parts: GatewayParts

    def __init__(
        self,
        boot: GatewayBoot,
        tasks: asyncio.TaskGroup,
        on_failure: Callable[[str, bool], None] = lambda why, final: None,
    ) -> None:
        self._boot = boot
        self._on_failure = on_failure
        self._config = msgspec.convert(boot.gateway, GatewayConfig)
        # What is misconfigured fails here, before anything is served.
        config, now = self._config, asyncio.get_running_loop().time
        self._guard = AccessGuard(config, boot.session_token, now)
        tls = config.tls
        self._certificate = Certificate(tls.cert_path, tls.key_path) if tls.enabled else None
        self._jobs = Jobs(tasks)
        self._file_limit = open_file_limit()
        self._shares = shares(self._file_limit)
        self._files: FileWatch | None = None
        self._endpoints: LateEndpoints | None = None
        self._canvas_server: Server | None = None
        self._warnings: dict[str, list[str]] = {}  # by where they come from
        self._warn_timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def start(
        self,
        listen: socket.socket,
        canvas: socket.socket | None = None,
        slots: SlotSource | None = None,
    ) -> None:
        """Serve workers, and clients on the listening socket ``listen``.

        ``canvas`` is the socket of the canvas host where it has a port of its own. In ``slots``
        are the young connections of a gateway that was killed, and then ours.
        """
        server = await self._serve(listen, slots)
        # The loop accepts the first client after this turn, when the parts are there.
        self.parts = parts = Assembly(
            self._boot, self._config, self._jobs, self._guard, server, self._on_failure
        ).parts()
        times = parts.hub.times
        server.set_turn_end(GatewayTurn(parts.fanout, parts.data_link, parts.intake, times))
        self._files = FileWatch(self._file_limit, self._starved, self._warner("files"))
        parts.telemetry.start(self._warner("telemetry"))
        if self._config.http.enabled:
            self._endpoints = LateEndpoints(parts)
            if canvas is not None:
                self._canvas_server = await self._serve_canvas(canvas, self._endpoints, server)
        if taken := await server.take_over():
            log.info("connections of the previous gateway taken over", **taken)

    def stop_accepting(self) -> None:
        """Accept no more clients: they wait in the backlogs for the next gateway."""
        self.parts.server.stop_accepting()
        if self._canvas_server is not None:
            self._canvas_server.stop_accepting()

    async def close(self) -> None:
        """Close everything at once: what is under way is answered, then all clients get 1012."""
        parts = self.parts
        self._closed = True
        if self._files is not None:
            self._files.close()
        if self._warn_timer is not None:
            self._warn_timer.cancel()
        parts.hub.close()
        parts.answering.close()
        parts.broadcast.close()
        parts.figures.close()
        parts.timers.close()
        parts.runs.close()
        parts.outbox.close()
        parts.turns.close()
        parts.attached.close()
        parts.local_people.close()
        for calls in (parts.calls, parts.http_calls, parts.supervisor, parts.nodes):
            calls.fail_all()
        await parts.registry.wait_saved()
        await self._jobs.finish(ANSWER_SECONDS)
        await parts.server.close(1012, "service restart")
        if self._canvas_server is not None:
            await self._canvas_server.close()
        if self._endpoints is not None:
            await self._endpoints.close()
        parts.data_link.close()
        await parts.intake.close()
        await parts.telemetry.close()
        await parts.registry.wait_saved()
        self._jobs.cancel()

    async def _serve(self, listen: socket.socket, slots: SlotSource | None) -> Server:
        config = self._config
        return await Server.start(
            listen,
            on_connect=self._on_connect,
            on_text=lambda connection, data: None,
            on_close=self._on_close,
            refuse_head=self._refuse_head,
            http=self._http if config.http.enabled else None,
            tls=None if self._certificate is None else self._certificate.context,
            limits=self._limits(),
            slots=slots,
        )

    async def _serve_canvas(
        self, listen: socket.socket, endpoints: LateEndpoints, beside: Server
    ) -> Server:
        def refuse(head: bytes, upgrade: bool) -> bytes | None:
            return NO_WEBSOCKET if upgrade else self._refuse_head(head, upgrade)

        return await Server.start(
            listen,
            on_connect=lambda connection: None,  # none gets past ``refuse``
            on_text=lambda connection, data: None,
            on_close=lambda connection: None,
            refuse_head=refuse,
            http=endpoints.canvas_protocol,
            tls=None if self._certificate is None else self._certificate.context,
            limits=self._limits(),
            beside=beside,
        )

    def _refuse_head(self, head: bytes, upgrade: bool) -> bytes | None:
        """Return the answer to a request head that is refused, and count it."""
        refusal = self._guard.hosts.refuse_head(head, upgrade)
        if refusal is not None:
            self.parts.api.record_answer(int(refusal[9:12]))  # the status, behind ``HTTP/1.1``
        return refusal

    def _limits(self) -> Limits:
        config, limits = self._config, self._config.limits
        return Limits(
            handshake=config.handshake_timeout_ms / 1000,
            preauth_bytes=MAX_PREAUTH_BYTES,
            preauth_per_address=limits.preauth_per_address,
            http_per_address=limits.http_per_address,
            unproven=self._shares.unproven,
            files=self._shares.top,
            buffered_bytes=limits.buffered_bytes,
            buffered_total_bytes=limits.buffered_total_bytes,
        )

    def _starved(self) -> int:
        canvas = self._canvas_server
        return self.parts.server.starved + (0 if canvas is None else canvas.starved)

    def _warner(self, source: str) -> Callable[[list[str]], None]:
        """Return what has the supervisor show warnings of a source instead of those before."""

        def warn(warnings: list[str]) -> None:
            self._warnings[source] = warnings
            self._jobs.start(self._warn())

        return warn

    async def _warn(self) -> None:
        warnings = [each for found in self._warnings.values() for each in found]
        try:
            await self.parts.supervisor.ask("gateway.warnings", {"warnings": warnings})
        except IpcError:  # there is none as yet, or it is busy: the log has it meanwhile
            if not self._closed:
                loop = asyncio.get_running_loop()
                self._warn_timer = loop.call_later(WARN_SECONDS, self._warn_again)

    def _warn_again(self) -> None:
        self._jobs.start(self._warn())

    def _http(self) -> asyncio.Protocol:
        assert self._endpoints is not None
        return self._endpoints.protocol()

    def _on_connect(self, connection: Connection) -> None:
        admission = connection.data = Admission(self.parts, connection)
        connection.receive = admission.receive

    def _on_close(self, connection: Connection) -> None:
        if isinstance(connection.data, ConnectedClient):
            _remove(self.parts, connection.data)
        elif isinstance(connection.data, Admission):
            connection.data.on_close()


def _remove(parts: GatewayParts, client: ConnectedClient) -> None:
    """Remove a client whose connection has ended, wherever it stands."""
    parts.hub.remove(client)
    parts.fanout.unsubscribe(client)
    parts.broadcast.forget(client)
    parts.figures.unsubscribe(client)
    parts.attached.forget(client)
    parts.supervisor.close(client)
    parts.nodes.on_disconnect(client, now_ms())
