"""Admits clients: from the challenge through ``connect`` to the hello, or to a refusal.

Before the first report of its supervisor a gateway would show no accounts, so clients wait for
that report for a moment; while it drains they are refused, to be retried at once.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

import structlog

from ipc.epoch import now_ms
from ipc.errors import FrameError, MalformedJson
from ipc.frames.websocket import (
    MAX_FRAME_BYTES,
    Request,
    decode_request,
    error_response,
    event,
    response,
)
from ipc.frames.words import CHANNEL_EVENTS
from ipc.websocket.connection import Connection
from ipc.websocket.demux import HEAD_SECONDS
from runtime.gateway.access.auth import ConnectClaim, Grant
from runtime.gateway.access.guard import SignInTurn
from runtime.gateway.access.handshake import Connect, claim_of, negotiate, read_connect
from runtime.gateway.access.refusals import Refusal, not_now
from runtime.gateway.access.scopes import NODE, OPERATOR, READ, SUPERVISOR
from runtime.gateway.accounts.fanout import OWN_EVENTS
from runtime.gateway.clients.client import MAX_WAITING, Admitted, ConnectedClient
from runtime.gateway.clients.decision import ConnectDecision, headers_of
from runtime.gateway.clients.earlier import EarlierTalk, read_earlier
from runtime.gateway.clients.hello import hello
from runtime.gateway.clients.long_requests import LongRequests
from runtime.gateway.clients.method_table import TEXT_BYTES
from runtime.gateway.clients.repeated import RepeatedRequests
from runtime.gateway.device_pairing import on_node_connected
from runtime.gateway.parts import GatewayParts
from runtime.gateway.stability import is_news

MAX_QUEUED = 15  # frames behind a ``connect`` that is being decided
MAX_RESUMED = MAX_WAITING  # likewise, of a client that had its hello, and what was read before
WAIT_SECONDS = 3.0  # for the first report of the supervisor
GREETED_WAIT_SECONDS = 20.0  # likewise, of a client with a hello: to refuse it is to cut it off
RESUMED_SECONDS = 5.0  # at least, for a handshake that another gateway has begun

T = TypeVar("T")

log = structlog.get_logger("gateway.admission")


class Admission:
    """A connection whose ``connect`` has not been answered yet."""

    def __init__(self, parts: GatewayParts, connection: Connection) -> None:
        self._parts = parts
        self.connection = connection
        young = connection.young
        resumed = None if young is None else young.resumed
        self._earlier = None if resumed is None else read_earlier(resumed)
        said = None if self._earlier is None else self._earlier.nonce
        self._most_queued = MAX_QUEUED
        if self._earlier is not None and young is not None:
            self._continue(self._earlier, young.age)
        self.nonce = said or str(uuid.uuid4())
        self._queued: list[bytes] = []
        self._pending: tuple[Request, Admitted] | None = None
        self._undecided = True
        self._turn: SignInTurn | None = None  # to have its shared secret looked at
        if said is None:
            challenge = {"nonce": self.nonce, "ts": now_ms(), "capabilities": []}
            connection.send(event("connect.challenge", challenge))

    def _continue(self, earlier: EarlierTalk, age: float) -> None:
        """Allow large messages if the hello was sent; else keep the deadline of the handshake."""
        if earlier.connection_id is None:
            limit = self._parts.config.handshake_timeout_ms / 1000
            self.connection.limit_handshake(handshake_left(limit, age))
        else:
            self.connection.limit_handshake(GREETED_WAIT_SECONDS + RESUMED_SECONDS)
            self.connection.limit_messages(TEXT_BYTES)
            self._most_queued = earlier.requests + MAX_RESUMED

    def receive(self, data: bytes) -> None:
        """Handle the first request; keep later ones until the decision."""
        if not self._undecided:
            self._queue(data)
            return
        self._undecided = False
        try:
            request = decode_request(data)
        except MalformedJson:
            self.connection.close(1000)
            return
        except FrameError:
            self.connection.close(1008, "invalid request frame")
            return
        try:
            connect = read_connect(request)
            claim = claim_of(connect, negotiate(connect))
            self._start_decision(request, connect, claim)
        except Refusal as refusal:
            self._refuse(request, refusal)

    @property
    def _is_greeted(self) -> bool:
        """Whether an earlier gateway has sent the client its hello."""
        return self._earlier is not None and self._earlier.connection_id is not None

    def on_close(self) -> None:
        """Cancel the pending sign-in, because the connection has ended."""
        if self._turn is not None:
            self._turn.give_up()

    def _start_decision(self, request: Request, connect: Connect, claim: ConnectClaim) -> None:
        """Decide at once, or in a task if a device's signature must be checked."""
        decision = ConnectDecision(self._parts, self.connection, connect, claim, self.nonce)
        decision.check_page()
        if decision.has_device:
            check = decision.check_device()
            self._start(request, decision, check, lambda _: self._await_turn(request, decision))
        else:
            self._await_turn(request, decision)

    def _await_turn(self, request: Request, decision: ConnectDecision) -> None:
        decide = partial(self._decide, request, decision)
        if not decision.guesses:
            decide()
        elif self.connection.open:
            self._turn = self._parts.guard.turn(decision.origin, decide)
            self._turn.request()

    def _decide(self, request: Request, decision: ConnectDecision) -> None:
        grant_soon = partial(self._grant, request, decision)
        if decision.has_device:
            self._start(request, decision, decision.decide_device(), grant_soon)
            return
        try:
            grant = decision.decide()
        except Refusal as refusal:
            self._refuse(request, refusal)
            return
        if delay := decision.success_delay:
            asyncio.get_running_loop().call_later(delay, grant_soon, grant)
        else:
            grant_soon(grant)

    def _start(
        self,
        request: Request,
        decision: ConnectDecision,
        work: Coroutine[Any, Any, T],
        then: Callable[[T], None],
    ) -> None:
        """Run a part of the decision in a task, and continue with its result."""

        async def run() -> None:
            try:
                then(await work)
            except Refusal as refusal:
                self._refuse(request, refusal)
            except Exception:  # a fault in one handshake is that connection's alone
                log.exception("handshake failed", remote=decision.origin.address)
                self.connection.close(1011, "internal error")

        self._parts.jobs.start(run())

    def _grant(self, request: Request, decision: ConnectDecision, grant: Grant) -> None:
        """Admit a client, or let it wait for the supervisor's first report."""
        self._end_turn()
        try:
            self._check_room(grant)
        except Refusal as refusal:
            self._refuse(request, refusal)
            return
        readiness = self._parts.readiness
        protocol = decision.claim.protocol
        earlier = self._earlier
        name = str(uuid.uuid4())
        if earlier is not None and earlier.connection_id is not None:
            name = earlier.connection_id
        origin = decision.origin
        admitted = Admitted(name, decision.connect, protocol, grant, origin, decision.host)
        if readiness.informed or grant.role == SUPERVISOR:
            self._admit(request, admitted)
        else:
            self._pending = request, admitted
            readiness.add_waiting(self)
            wait = GREETED_WAIT_SECONDS if self._is_greeted else WAIT_SECONDS
            asyncio.get_running_loop().call_later(wait, self._give_up)

    def _check_room(self, grant: Grant) -> None:
        """Raise ``Refusal`` if there are too many clients."""
        parts = self._parts
        if parts.readiness.draining:
            raise not_now("gateway restart in progress")
        most = parts.most_clients
        if len(parts.hub.clients) >= most and grant.role != SUPERVISOR:
            raise not_now("gateway has too many clients")

    def proceed(self) -> None:
        """Admit the client after the supervisor's first report, if it still waits."""
        if self._pending is not None:
            (request, admitted), self._pending = self._pending, None
            self._admit(request, admitted)

    def turn_away(self) -> None:
        """Refuse the client if it still waits, because the gateway ends."""
        self._give_up("gateway restart in progress")

    def _give_up(self, reason: str = "gateway starting") -> None:
        if self._pending is not None:
            request, self._pending = self._pending[0], None
            self._parts.readiness.remove_waiting(self)
            self._refuse(request, not_now(reason))

    def _admit(self, request: Request, admitted: Admitted) -> None:
        connection, parts, earlier = self.connection, self._parts, self._earlier
        if not connection.open:
            return
        if earlier is not None and earlier.refused:
            connection.abort()  # another answer than it has got
            return
        if self._is_greeted and _stays(admitted):
            connection.close(1012, "service restart")  # it has been getting events: see ``_stays``
            return
        connection.admit(MAX_FRAME_BYTES)
        client = connection.data = ConnectedClient(parts, connection, admitted)
        connection.rules = LongRequests(client)
        parts.hub.add(client)
        if earlier is None or earlier.connection_id is None:
            connection.send(response(request.id, hello(parts, client)))
        else:
            client.continue_from(earlier.seq)
        _keep_until_answered(client)
        _welcome(parts, client)
        connection.receive, connection.after_read = client.receive, client.after_read
        if earlier is not None and earlier.requests:
            connection.receive = RepeatedRequests(client, earlier).receive
        for data in self._queued:
            connection.receive(data)
        client.after_read(perf_counter() - connection.read_at)

    def _yield_turn(self) -> None:
        """End the turn of a wrong secret soon, while its answer is delayed.

        It ends as that of a client which waits for no answer. Otherwise a few programs with
        a wrong secret would keep all others of their address out until their handshakes end.
        """
        if self._turn is not None:
            self._turn.give_up()

    def _end_turn(self) -> None:
        if self._turn is not None:
            self._turn.end()

    def _queue(self, data: bytes) -> None:
        self._queued.append(data)
        if len(self._queued) > self._most_queued:
            self.connection.close(1008, "too many pending handshake frames")

    def _refuse(self, request: Request, refusal: Refusal) -> None:
        self._parts.hub.refuse(refusal.kind)
        self._record(refusal)
        if refusal.delay:
            self._yield_turn()
            asyncio.get_running_loop().call_later(refusal.delay, self._answer, request, refusal)
        else:
            self._answer(request, refusal)

    def _record(self, refusal: Refusal) -> None:
        """Record and log a refusal; not that of a web page which asks whether it needs a secret."""
        connection = self.connection
        headers = headers_of(connection)
        if refusal.lacks_secret and "origin" in headers:
            return
        origin = self._parts.guard.address_of(connection.remote, connection.loopback, headers)
        times = self._parts.stability.record(
            "client.refused", reason=refusal.kind, address=origin.address or None
        )
        if is_news(times):
            address = origin.address
            log.info("client refused", reason=refusal.reason, remote=address, times=times)

    def _answer(self, request: Request, refusal: Refusal) -> None:
        self._end_turn()
        earlier = self._earlier
        if not self.connection.open:
            return
        if self._is_greeted:
            self.connection.abort()  # what it would get is no answer to anything it asked
            return
        if earlier is None or not earlier.refused:
            self.connection.send(error_response(request.id, refusal.error))
        self.connection.close(refusal.code, refusal.reason)


def handshake_left(limit: float, age: float) -> float:
    """Return the seconds that remain for a handshake which another gateway has begun.

    ``age`` seconds ago its socket was accepted. With its request head it has ``limit`` and
    ``HEAD_SECONDS`` in all, however often gateways are killed, and a little for the last of them.
    """
    return min(limit, max(HEAD_SECONDS + limit - age, RESUMED_SECONDS))


def _stays(client: Admitted | ConnectedClient) -> bool:
    """Return whether a client stays connected, and so must notice the loss of this gateway."""
    role = client.grant.role
    return role != OPERATOR or CHANNEL_EVENTS in client.connect.caps


def _keep_until_answered(client: ConnectedClient) -> None:
    """End the young phase of a connection after its first answer, or the hello if it stays."""
    if (young := client.connection.young) is not None:
        young.settle_when((lambda: True) if _stays(client) else client.is_answered)


def _welcome(parts: GatewayParts, client: ConnectedClient) -> None:
    """Send the event ``health`` after the hello, and register the client by role and caps."""
    if client.role == SUPERVISOR:
        parts.supervisor.open(client)
        return
    parts.hub.send_health(client)
    if client.role == NODE:
        on_node_connected(parts, client)
    if CHANNEL_EVENTS in client.connect.caps and client.covers(READ):
        parts.fanout.subscribe(client, None, OWN_EVENTS)
