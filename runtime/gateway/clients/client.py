"""Handles the requests of one admitted client, from the bytes to the answer.

``receive`` is the hot path: decode, one look-up that decides existence and permission at
once, validate, call, encode. Methods that must wait run as tasks, at most ``MAX_WAITING``
per client; everything else is answered within the same read of the socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from time import perf_counter
from types import CoroutineType
from typing import Any

import msgspec
import structlog
from msgspec import UNSET

from ipc.errors import CallTimeout, FrameError, MalformedJson, PeerGone, RemoteError
from ipc.frames.websocket import (
    ErrorShape,
    Good,
    Request,
    StateVersion,
    decode_request,
    encode,
    error_response,
    event,
    event_pieces,
    response,
    shape_of,
)
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE
from ipc.websocket.connection import Connection
from runtime.gateway.access.auth import Grant
from runtime.gateway.access.client_address import ClientAddress
from runtime.gateway.access.handshake import Connect
from runtime.gateway.access.scopes import SUPERVISOR, covers
from runtime.gateway.clients.method_table import (
    AccountCall,
    FailedAnswer,
    Method,
    TwoAnswers,
    allowed,
    find,
    refusal,
)
from runtime.gateway.parts import GatewayParts

MAX_WAITING = 256
MAX_ABUSE = 10  # malformed frames, or calls of another role's methods; then 1008

log = structlog.get_logger("gateway.client")

RESTART_MS = 500  # after which clients retry; a restart takes less

_BUSY = ErrorShape(UNAVAILABLE, "The server is busy. Please try again in a moment.", retryable=True)


class Admitted(msgspec.Struct, frozen=True):
    """The result of an admission. ``id`` names the connection."""

    id: str
    connect: Connect
    protocol: int
    grant: Grant
    origin: ClientAddress
    host: str | None  # the Host that it asked for


class ConnectedClient:
    """A connected client, after its hello.

    ``seq`` numbers the protocol's own events; ``since`` is the loop's time when it was admitted,
    ``asked`` the number of its requests, ``failed`` how many were answered with an error.
    """

    def __init__(self, parts: GatewayParts, connection: Connection, admitted: Admitted) -> None:
        self._parts = parts
        self._hub = parts.hub
        self._times = parts.hub.times
        self._readiness = parts.readiness
        self._jobs = parts.jobs
        self._calls = parts.calls
        self.connection = connection
        self.id = admitted.id
        self.connect = admitted.connect
        self.protocol = admitted.protocol
        self.role = admitted.grant.role
        self.scopes = admitted.grant.scopes
        self.method = admitted.grant.method
        self.grant = admitted.grant
        self.device = admitted.grant.device
        self.address = admitted.origin.address
        self.host = admitted.host
        self.seq = 0
        self.since = asyncio.get_running_loop().time()
        self.asked = 0
        self.failed = 0
        self._allowed = allowed(self.role, self.scopes, self.protocol)
        self._answered: list[str] = []  # the methods of the present read's requests
        self._waiting = 0
        self._malformed = 0
        self._unauthorized = 0

    def receive(self, data: bytes) -> None:
        """Handle one request, or begin to: the hot path."""
        try:
            request = decode_request(data)
        except FrameError as error:
            self._refuse_frame(error)
            return
        method = self._allowed.get(request.method) or self._find(request)
        if method is None:
            return
        if self._readiness.leaving and self.role != SUPERVISOR:
            self._fail(request.id, _restart_error(request.method))
            return
        self.asked += 1
        try:
            params = method.absent
            if params is UNSET or request.params is not UNSET:
                params = method.params(request.params)
            if method.waits:
                if self._reserve_slot(request.id):
                    result = method.function(self._parts, self, params)
                    self._start(request.id, method, result)
                return
            result = method.function(self._parts, self, params)
        except Exception as error:  # noqa: BLE001 - as in ``_wait``
            self._answer_error(request.id, method.name, error)
        else:
            kind = type(result)
            if kind is AccountCall:
                if self._reserve_slot(request.id):
                    self._ask(request.id, method, result)
                return
            if kind is CoroutineType:
                if self._reserve_slot(request.id):
                    self._start(request.id, method, result)
                else:
                    result.close()
                return
            self.connection.send(encode(Good(request.id, True, result)))
        self._answered.append(method.name)

    def after_read(self, seconds: float) -> None:
        """Record the times of the requests answered within one read: they left together.

        One read of the clock for all: two for each request cost a tenth of a cheap one.
        """
        names = self._answered
        if names:
            count = names.count(names[0])
            if count == len(names):  # as nearly always: to find the methods takes as long again
                self._times.record(names[0], seconds, count)
            else:
                for name in set(names):
                    self._times.record(name, seconds, names.count(name))
            names.clear()

    def _find(self, request: Request) -> Method | None:
        """Find a method, importing its family if needed; refuse the request if there is none."""
        try:
            find(request.method)
        except Exception as error:  # of an installation that is being replaced
            log.error("method cannot be imported", method=request.method, exc_info=error)
            failed = RemoteError(UNAVAILABLE, f"{request.method}: internal error")
            self._fail(request.id, failed)
            return None
        self._allowed = allowed(self.role, self.scopes, self.protocol)
        if (method := self._allowed.get(request.method)) is None:
            self._refuse_method(request)
        return method

    def _start(self, id: str, method: Method, result: Awaitable[Any]) -> None:
        self._jobs.start(self._wait(id, method, result, self.connection.read_at))

    def _ask(self, id: str, method: Method, ask: AccountCall) -> None:
        calls, jobs = self._calls, self._jobs
        waiter = _Asked(self, id, method.name, ask, self.connection.read_at)
        jobs.begin()
        if not calls.ask(ask.key, ask.method, ask.params, ask.seconds, waiter):
            jobs.end()
            self._start(id, method, ask.answer(self._parts))  # it is not connected yet

    def _reserve_slot(self, id: str) -> bool:
        """Count a request as waiting; refuse it and return false if too many are."""
        if self._waiting >= MAX_WAITING:
            self.connection.send(error_response(id, _BUSY))
            return False
        self._waiting += 1
        return True

    async def _wait(self, id: str, method: Method, result: Awaitable[Any], began: float) -> None:
        try:
            answer = await result
            if type(answer) is TwoAnswers:
                self._answer_twice(id, method, answer)
            else:
                self._answer(id, answer)
        except Exception as error:  # noqa: BLE001 - a fault in one method is that request's alone
            self._answer_error(id, method.name, error)
        finally:
            self._waiting -= 1
            self._times.record(method.name, perf_counter() - began)

    def _answer(self, id: str, answer: Any) -> None:
        if type(answer) is FailedAnswer:
            self._fail(id, answer.error, answer.payload)
        else:
            self.connection.send(response(id, answer))

    def _answer_twice(self, id: str, method: Method, answer: TwoAnswers) -> None:
        """Send the first answer of a request, and the second one once it is available."""
        self.end_young()  # nothing of a request that has one of its answers can be repeated
        self.connection.send(response(id, answer.first))
        self._waiting += 1

        def on_done(later: asyncio.Future[Any]) -> None:
            self._waiting -= 1
            if later.cancelled():
                return  # the gateway ends
            try:
                self._answer(id, answer.then(later.result()))
            except Exception as error:  # noqa: BLE001 - as in ``_wait``
                self._answer_error(id, method.name, error)

        answer.later.add_done_callback(on_done)

    def on_answer(
        self, id: str, method: str, ask: AccountCall, answer: bytes, began: float
    ) -> None:
        """Send an account's answer to a request that arrived at ``began``."""
        try:
            self.connection.send(response(id, ask.result(answer)))
        except Exception as error:  # noqa: BLE001 - as in ``_wait``
            self._answer_error(id, method, ask.failure(self._parts, error))
        finally:
            self._waiting -= 1
            self._jobs.end()
            self._times.on_answered(method, began)

    def on_failure(
        self, id: str, method: str, ask: AccountCall, error: Exception, began: float
    ) -> None:
        """Send the error of a call to an account, as the answer to a request."""
        try:
            self._answer_error(id, method, ask.failure(self._parts, error))
        finally:
            self._waiting -= 1
            self._jobs.end()
            self._times.record(method, perf_counter() - began)

    def _answer_error(self, id: str, method: str, error: Exception) -> None:
        if isinstance(error, PeerGone | CallTimeout) and (called := find(method)) is not None:
            error = called.unanswered(error)
        elif not isinstance(error, RemoteError):
            log.error("method failed", method=method, exc_info=error)
            error = RemoteError(UNAVAILABLE, f"{method}: internal error")
        self._fail(id, error)

    @property
    def waiting(self) -> int:
        """The number of requests without an answer."""
        return self._waiting

    @property
    def gone(self) -> bool:
        """True once no answer can reach it any more."""
        return not self.connection.open

    def is_answered(self) -> bool:
        """Return whether it has made requests and all of them are answered."""
        return bool(self.asked or self.failed) and not self._waiting

    def continue_from(self, seq: int) -> None:
        """Continue the event numbers of another gateway."""
        self.seq = seq

    def refuse(self, id: str | int, error: RemoteError) -> None:
        """Answer a request with an error."""
        self._fail(id, error)

    def end_young(self) -> None:
        """Exempt the connection from resumption: a kill of this gateway closes it."""
        if (young := self.connection.young) is not None:
            young.release()

    def covers(self, scope: str | None) -> bool:
        """Return whether the client has ``scope``."""
        return covers(self.scopes, scope)

    def send_event(
        self, name: str, payload: Any, state_version: StateVersion | None = None
    ) -> None:
        """Send a numbered event of the protocol.

        Numbers count per client in Protocol 4, over all clients in Protocol 3.
        """
        self.connection.send(event(name, payload, self._next_seq(), state_version))

    def send_long_event(
        self, name: str, payload: bytes, state_version: StateVersion | None = None
    ) -> None:
        """Send a numbered event without a copy of its payload, a JSON text."""
        pieces = event_pieces(name, payload, self._next_seq(), state_version)
        self.connection.send_long(*pieces)

    def _next_seq(self) -> int:
        self.seq += 1
        return self.seq if self.protocol >= 4 else self._hub.seq

    def send_unnumbered(self, name: str, payload: Any) -> None:
        """Send an event without a number, which only this client gets."""
        self.connection.send(event(name, payload))

    def _fail(self, id: str | int, error: RemoteError, payload: Any = UNSET) -> None:
        self.failed += 1
        self.connection.send(error_response(id, shape_of(error), payload))

    def _refuse_frame(self, error: FrameError) -> None:
        text = f"invalid request frame: {error.reason}"
        self._fail("invalid" if error.id is None else error.id, RemoteError(INVALID_REQUEST, text))
        if isinstance(error, MalformedJson):
            self._malformed += 1
            self._hub.count_malformed()
            if self._malformed > MAX_ABUSE:
                self.connection.close(1008, "repeated malformed frames")

    def _refuse_method(self, request: Request) -> None:
        if request.method == "connect":
            error = RemoteError(INVALID_REQUEST, "connect is only valid as the first request")
        else:
            error = refusal(request.method, self.role, self.protocol, self.scopes)
        self._fail(request.id, error)
        if error.message.startswith("unauthorized role"):
            self._unauthorized += 1
            if self._unauthorized > MAX_ABUSE:
                self.connection.close(1008, "repeated unauthorized calls")


class _Asked(msgspec.Struct, gc=False):
    """Receives an account's answer in the place of a future, which would need a task.

    A struct, because one is made for each request: it costs a third of an instance with
    ``__init__``.
    """

    client: ConnectedClient
    id: str
    method: str
    ask: AccountCall
    began: float

    def done(self) -> bool:
        return False

    def set_result(self, result: bytes) -> None:
        self.client.on_answer(self.id, self.method, self.ask, result, self.began)

    def set_exception(self, exception: Exception) -> None:
        self.client.on_failure(self.id, self.method, self.ask, exception, self.began)


def _restart_error(method: str) -> RemoteError:
    """Return the error for a request after ``shutdown``: it was not executed."""
    return RemoteError(
        UNAVAILABLE,
        f"{method} unavailable during gateway restart",
        details={"method": method, "reason": "gateway-restarting"},
        retryable=True,
        retry_after_ms=RESTART_MS,
    )
