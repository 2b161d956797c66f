"""Forwards HTTP requests to the plugins of accounts, and matches their answers.

A request that was given up because its time is over keeps its place until the worker answers
it late, or is gone: what a worker that hangs has not read yet lies in our memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from ipc import timeouts
from ipc.calls import Calls
from ipc.errors import CallTimeout, PeerGone, RemoteError
from ipc.frames.data import FromGateway, HttpAnswer, HttpCall, encode
from ipc.frames.words import UNAVAILABLE
from ipc.hidden_fields import hide_fields
from runtime.gateway.accounts.account_calls import not_connected
from runtime.gateway.accounts.http_bounds import HttpBounds, HttpPlace
from runtime.gateway.accounts.peers import Peer, Peers

GRACE = 0.5  # seconds in which the worker itself answers that the plugin was too slow
LATEST = 60.0  # seconds after which an answer is not expected even from a worker that lives
COPIES = 4  # of a body: the parts that came, their sum, the frame, and what ZeroMQ holds

SendBody = Callable[[bytes, bytes], bool]
BeforeCall = Callable[[Peer], Sequence[FromGateway]]


@hide_fields("query", "headers")
class IngressRequest(msgspec.Struct, frozen=True):
    """One HTTP request to an account; the fields are those of ``ipc.frames.data.HttpCall``."""

    key: str
    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    remote: str


class IngressBody(NamedTuple):
    """The body of a request: ``data``, or the name of the file in which a large one lies."""

    data: bytes = b""
    file: str = ""


class _Overdue(NamedTuple):
    peer: Peer
    place: HttpPlace
    timer: asyncio.TimerHandle


class HttpCalls:
    """HTTP requests that wait for an answer; the length counts them. ``bounds`` admits them."""

    def __init__(self, peers: Peers) -> None:
        self.bounds = HttpBounds()
        self._peers = peers
        self._pending: Calls[HttpAnswer] = Calls()
        self._overdue: dict[int, _Overdue] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._send: SendBody | None = None
        self._before: BeforeCall | None = None

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def memory_bytes(self) -> int:
        """The most memory that the bodies of requests may take, in bytes."""
        return COPIES * self.bounds.memory.held

    def attach(self, send: SendBody, before: BeforeCall) -> None:
        """Use ``send(id, body)`` to send; it returns false when the peer's queue is full.

        ``before(peer)`` returns what goes to that peer before a call.
        """
        self._send, self._before = send, before

    async def wait_for_peer(self, key: str) -> Peer:
        """Wait for the peer of an account that takes HTTP requests; raises ``RemoteError``."""
        return await self._peers.wait_for_http(key)

    async def call(
        self, peer: Peer, request: IngressRequest, body: IngressBody, place: HttpPlace
    ) -> HttpAnswer:
        """Return the plugin's answer.

        Raises ``RemoteError`` when the request was not sent, ``PeerGone`` when the worker dies
        meanwhile, ``CallTimeout`` when it does not answer in time; then ``place`` is held on.
        """
        seconds = self.bounds.config.within_seconds
        future: asyncio.Future[HttpAnswer] = asyncio.get_running_loop().create_future()
        number = self._pending.expect(future, peer.name, seconds + GRACE, "HTTP")
        self._idle.clear()
        try:
            self._open(peer, number, request, body, seconds)
            return await self._pending.answer(number, future)
        except CallTimeout:
            self._keep(number, peer, place)
            raise
        finally:
            self._pending.forget(number)
            if not self._pending:
                self._idle.set()

    def on_answer(self, peer: Peer | None, answer: HttpAnswer) -> bool:
        """Resolve the request that a peer answers; return whether it was still pending."""
        if peer is None:
            return False
        if self._pending.peer_of(answer.id) == peer.name:
            return self._pending.resolve(answer.id, answer)
        late = self._overdue.get(answer.id)
        if late is not None and late.peer is peer:
            self._release(answer.id)
        return False

    def forget(self, peer: Peer) -> None:
        """Fail the requests to a peer that has ended or whose connection was closed."""
        self._pending.fail_peer(peer.name)
        for number in [each for each, late in self._overdue.items() if late.peer is peer]:
            self._release(number)

    def fail_all(self) -> None:
        """Fail all requests, because the gateway ends."""
        self._pending.fail_all()
        for number in list(self._overdue):
            self._release(number)

    async def finish(self, seconds: float) -> None:
        """Wait until no request waits for an answer, at most ``seconds``."""
        try:
            async with timeouts.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return

    def _open(
        self, peer: Peer, number: int, request: IngressRequest, body: IngressBody, seconds: float
    ) -> None:
        call = HttpCall(
            number,
            request.method,
            request.path,
            request.query,
            request.headers,
            request.remote,
            seconds,
            body.data,
            body.file,
        )
        assert self._send is not None
        assert self._before is not None
        try:
            sent = self._send(peer.id, encode([*self._before(peer), call]))
        except PeerGone:
            raise not_connected(peer) from None
        if not sent:
            raise RemoteError(UNAVAILABLE, "the account is busy", retryable=True)

    def _keep(self, number: int, peer: Peer, place: HttpPlace) -> None:
        place.retain()
        timer = asyncio.get_running_loop().call_later(LATEST, self._release, number)
        self._overdue[number] = _Overdue(peer, place, timer)

    def _release(self, number: int) -> None:
        late = self._overdue.pop(number)
        late.timer.cancel()
        late.place.release()
