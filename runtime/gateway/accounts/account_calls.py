"""Sends calls to the plugins of accounts, and reads their answers.

The calls of one turn of the event loop are queued here and sent by the data link together.
A plugin may answer anything, and must break nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
import structlog

from ipc.calls import Calls, Waiter
from ipc.errors import RemoteError
from ipc.frames.data import MAX_PAYLOAD_BYTES, PACK_BYTES, PACK_FRAMES, Answer, Call
from ipc.frames.websocket import ErrorShape, error_of
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE
from ipc.nesting import MALFORMED, SHORT_TEXT, decode_json, require_shallow
from runtime.gateway.accounts.peers import Peer, Peers
from workers.messages import Sent

T = TypeVar("T")

AN_OBJECT = msgspec.json.Decoder(dict[str, Any])
ANYTHING = msgspec.json.Decoder(object)
SENT = msgspec.json.Decoder(Sent)

log = structlog.get_logger("gateway.answers")


class NotAsked(RemoteError):
    """A call that was not sent: nothing has begun, and the account's state stays unknown."""

    def __init__(self, text: str) -> None:
        super().__init__(UNAVAILABLE, text, retryable=True)


class AccountCalls:
    """Calls to accounts that wait to be sent, or for an answer; the length counts both.

    ``queued`` holds the calls of this turn by peer. The data link takes them out.
    """

    def __init__(self, peers: Peers, flush_soon: Callable[[], None]) -> None:
        self.queued: dict[Peer, list[Call]] = {}
        self._peers = peers
        self._by_key = peers.by_key
        self._flush_soon = flush_soon
        self._pending: Calls[bytes] = Calls()

    def __len__(self) -> int:
        return len(self._pending)

    async def call(self, key: str, method: str, params: bytes, seconds: float) -> bytes:
        """Return the JSON text of the account's answer.

        Raises ``RemoteError`` for its refusal, or at once when it is not running or ``params``
        are too large; ``PeerGone`` when it dies meanwhile; ``CallTimeout`` after ``seconds``.
        """
        peer = self._by_key.get(key) or await self._peers.wait_for(key)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        number = self._open(peer, method, params, seconds, future)
        return await self._pending.answer(number, future)

    def ask(
        self, key: str, method: str, params: bytes, seconds: float, waiter: Waiter[bytes]
    ) -> bool:
        """Call without a task: ``waiter`` gets the result; return whether the call is queued.

        ``False`` when the account is not connected: only ``call`` waits for that.
        """
        peer = self._by_key.get(key)
        if peer is None:
            return False
        try:
            self._open(peer, method, params, seconds, waiter)
        except RemoteError as error:
            waiter.set_exception(error)
        return True

    def on_answer(self, peer: Peer | None, answer: Answer) -> bool:
        """Resolve the call that a peer answers; return whether it was a call to that peer."""
        if peer is None:
            return False
        if answer.ok:
            return self._pending.resolve(answer.id, answer.payload, peer.name)
        if self._pending.peer_of(answer.id) != peer.name:
            return False
        return self._pending.fail(answer.id, _refusal(peer.key, answer.payload))

    def fail(self, calls: list[Call], error: RemoteError) -> None:
        """Fail the given calls, which could not be sent."""
        for call in calls:
            self._pending.fail(call.id, error)

    def forget(self, peer: Peer) -> None:
        """Fail the calls to a peer whose incarnation has ended."""
        self.fail(self.queued.pop(peer, []), not_connected(peer))
        self._pending.fail_peer(peer.name)

    def fail_all(self) -> None:
        """Fail all calls, because the gateway ends."""
        self._pending.fail_all()

    def _open(
        self, peer: Peer, method: str, params: bytes, seconds: float, waiter: Waiter[bytes]
    ) -> int:
        """Queue a call and return its number. One that is too large is refused here, alone: it
        would spoil all the others of this turn.
        """
        if len(params) > MAX_PAYLOAD_BYTES:
            text = f"{method}: {len(params)} bytes, at most {MAX_PAYLOAD_BYTES} go to an account"
            raise RemoteError(INVALID_REQUEST, text)
        number = self._pending.expect(waiter, peer.name, seconds, method)
        queued = self.queued.get(peer)
        if queued is None:
            queued = self.queued[peer] = []
            self._flush_soon()  # takes whatever follows in this turn
        queued.append(Call(number, method, params))
        return number


def read_answer(key: str, answer: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Return the answer of the account ``key``; raises ``RemoteError`` where it is none.

    It is not ``retryable``: what was asked for has probably been done.
    """
    try:
        if len(answer) > SHORT_TEXT:
            require_shallow(answer)
        return decoder.decode(answer)
    except MALFORMED as error:
        text = f"{key}: malformed answer ({error}); the request may have been executed"
        log.error("malformed answer", account=key, why=str(error))
        raise RemoteError(UNAVAILABLE, text) from None


def packs_of(calls: list[Call]) -> Iterator[list[Call]]:
    """Yield the calls in packs that are not too large; a very large call goes alone."""
    if len(calls) <= PACK_FRAMES and sum([len(call.params) for call in calls]) <= PACK_BYTES:
        yield calls  # as nearly always
        return
    pack: list[Call] = []
    size = 0
    for call in calls:
        size += len(call.params)
        if pack and (len(pack) >= PACK_FRAMES or size > PACK_BYTES):
            yield pack
            pack, size = [], len(call.params)
        pack.append(call)
    yield pack


def not_connected(peer: Peer) -> NotAsked:
    """Return the error for a peer that cannot be reached."""
    return NotAsked(f"{peer.key} is not connected")


def _refusal(key: str, payload: bytes) -> RemoteError:
    """Return an account's refusal as the exception that it stands for."""
    try:
        shape = decode_json(payload, ErrorShape)
    except MALFORMED:
        shape = ErrorShape(UNAVAILABLE, f"{key}: malformed error")
    return error_of(shape)
