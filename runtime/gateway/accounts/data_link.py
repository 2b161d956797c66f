"""The data link of the workers: what accounts say, what they are asked (DESIGN section 3).

Every message is numbered by its worker. It is handed on once (to the clients' output, the
ring and the agent), in order, without gaps, and acknowledged afterwards, once per turn of
the event loop. A worker counts from the moment the supervisor has reported it running until
its end is reported: before and after that its frames change nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import msgspec
import structlog

from ipc.calls import Calls, Waiter
from ipc.errors import FrameError, PeerGone, RemoteError
from ipc.frames.data import (
    ADDRESSED,
    HISTORY,
    MALFORMED,
    MAX_BODY_BYTES,
    MAX_PAYLOAD_BYTES,
    PACK_BYTES,
    PACK_FRAMES,
    Ack,
    Answer,
    Call,
    FromGateway,
    Hello,
    Messages,
    Refused,
    Welcome,
    check_text,
    decode_from_worker,
    encode,
)
from ipc.frames.websocket import ErrorShape, error_of
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE
from ipc.identity.peer import PeerProof, parse_peer
from ipc.zeromq.link import Router
from runtime.gateway.accounts.fanout import MESSAGE, Fanout, message_frames
from runtime.gateway.accounts.ring import Rings
from runtime.gateway.accounts.rows import Accounts

HELLO_FIRST = "hello first"
MAX_STRANGERS = 4096
MAX_DRAINS = 8  # of 8 MiB each: far more than the credit of all accounts
REASONS = ("duplicate", "early", "gap", "late answer", "malformed", "refused", "stale", "stranger")
MEET_SECONDS = 2.0  # in which a running account says hello to a new gateway
TELL_AGAIN = 0.05  # seconds between two requests to say hello first
NOT_ADDRESSED = bytes(flags for flags in range(256) if not flags & ADDRESSED)
_is_ascii = bytes.isascii

log = structlog.get_logger("gateway.workers")


class Peer:
    """One incarnation of one account that has proved who it is.

    ``seen`` is the newest message handed on. ``welcome`` is false until it may talk, and again
    after a gap, until it has said hello anew. ``wanted`` is from where on it is asked for
    history, ``recalled`` what has come of that.
    """

    __slots__ = ("id", "incarnation", "key", "name", "recalled", "seen", "wanted", "welcome")

    def __init__(self, id: bytes, key: str, incarnation: int, seen: int) -> None:
        self.id = id
        self.name = id.decode()
        self.key = key
        self.incarnation = incarnation
        self.seen = seen
        self.welcome = False
        self.wanted = 0
        self.recalled: list[tuple[int, bytes]] = []


class DataRouter:
    """``on_message(key, flags, payload)`` is told what is meant for an agent; while ``held()``
    is true nothing is acknowledged; ``acknowledge`` follows once it is false. ``dropped`` counts
    by reason what was not handed on; ``messages`` what was.
    """

    def __init__(
        self,
        address: str,
        secret: bytes,
        gateway: str,
        *,
        accounts: Accounts,
        rings: Rings,
        fanout: Fanout,
        flush_soon: Callable[[], None],
        held: Callable[[], bool],
        on_message: Callable[[str, int, bytes], None],
    ) -> None:
        self._proof = PeerProof(secret)
        self._gateway = gateway
        self._accounts = accounts
        self._rings = rings
        self._fanout = fanout
        self._flush_soon = flush_soon
        self._held = held
        self._on_message = on_message
        self.peers: dict[bytes, Peer] = {}
        self._by_key: dict[str, Peer] = {}  # the welcome ones
        self._unacked: set[Peer] = set()
        self._told: dict[bytes, float] = {}
        self._queued: dict[Peer, list[Call]] = {}  # calls of this turn
        self._news = asyncio.Event()  # somebody is welcome, or has told all its history
        self._clock = asyncio.get_running_loop().time
        self.calls: Calls[bytes] = Calls()
        self.messages = 0
        self.dropped: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self._router = Router(
            address, self._on_frame, max_bytes=MAX_BODY_BYTES, on_error=self._on_error
        )

    # The hot path

    def _on_frame(self, id: bytes, body: bytes) -> None:
        peer = self.peers.get(id)
        for each in decode_from_worker(body):
            if type(each) is Messages:
                if peer is not None and peer.welcome and each.first == peer.seen + 1:
                    self._hand_on(peer, each)
                else:
                    self._out_of_order(id, peer, each)
            elif type(each) is Answer:
                self._answered(peer, each)
            elif type(each) is Hello:
                peer = self._hello(id, each) or peer

    def _hand_on(self, peer: Peer, pack: Messages) -> None:
        """Hand a pack on as a whole: most of the cost is per step, not per byte."""
        peer.seen = pack.last
        if peer not in self._unacked:
            self._unacked.add(peer)
            self._flush_soon()
        packs = [pack] if all(map(_is_ascii, pack.payloads)) else self._sound(peer, pack)
        for each in packs:
            payloads, count = each.payloads, len(each.payloads)
            self._rings.extend(peer.key, peer.incarnation, each.first, payloads)
            self._fanout.publish(peer.key, MESSAGE, message_frames(payloads), count)
            self.messages += count
            if each.flags.translate(None, NOT_ADDRESSED):
                for flags, payload in zip(each.flags, payloads, strict=True):
                    if flags & ADDRESSED:
                        self._on_message(peer.key, flags, payload)

    def _sound(self, peer: Peer, pack: Messages) -> list[Messages]:
        """Return what may go into events: one account's must not break clients."""
        found, first = [], pack.first
        for number, payload in enumerate(pack.payloads, first):
            try:
                check_text(payload)
            except FrameError as error:
                self.dropped["malformed"] += 1
                log.warning("message dropped", peer=peer.name, why=error.reason)
                if first < number:
                    found.append(pack.part(first, number - 1))
                first = number + 1
        return [*found, pack.part(first, pack.last)] if first <= pack.last else found

    def send_calls(self) -> None:
        """Send each worker the calls of this turn, and how far its messages have been handed on:
        together, because a message costs ZeroMQ more than all that is in it.
        """
        if not self._queued:
            return
        queued, self._queued = self._queued, {}
        held, unacked = self._held(), self._unacked
        for peer, calls in queued.items():
            if peer in unacked and not held:
                unacked.remove(peer)
                self._send_calls(peer, calls, Ack(peer.seen))
            else:
                self._send_calls(peer, calls)

    def acknowledge(self) -> None:
        """Acknowledge what was handed on in this turn, once the clients have it.

        While a client is behind, nothing is acknowledged, for a moment: so a flood is as fast as
        clients that read can read it, and does not get them closed. Calm accounts notice nothing:
        they have credit left.
        """
        if self._unacked and not self._held():
            unacked, self._unacked = self._unacked, set()
            for peer in unacked:
                self._send(peer.id, Ack(peer.seen))

    def _send_calls(self, peer: Peer, calls: list[Call], *first: FromGateway) -> None:
        for pack in _packs(calls):
            frames: list[FromGateway] = [*first, *pack]
            first = ()
            try:
                fault: Exception | None = None
                if not self._router.send(peer.id, encode(frames)):
                    fault = RemoteError(UNAVAILABLE, "the account is busy", retryable=True)
            except PeerGone:
                fault = _not_connected(peer)
            if fault is not None:
                for call in pack:
                    self.calls.fail(call.id, fault)

    # Calls

    async def call(self, key: str, method: str, params: bytes, seconds: float) -> bytes:
        """Return the JSON of the account's answer.

        Raises ``RemoteError`` for its refusal, or at once when it is not running or ``params``
        are too large; ``PeerGone`` when it dies meanwhile; ``CallTimeout`` after ``seconds``.
        """
        peer = self._by_key.get(key) or await self._meet(key)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        number = self._open(peer, method, params, seconds, future)
        return await self.calls.answer(number, future)

    def ask(
        self, key: str, method: str, params: bytes, seconds: float, waiter: Waiter[bytes]
    ) -> bool:
        """Do as ``call`` and tell ``waiter``, with no task; ``False``, and nothing done, when the
        account is not connected: only ``call`` waits for that.
        """
        peer = self._by_key.get(key)
        if peer is None:
            return False
        try:
            self._open(peer, method, params, seconds, waiter)
        except RemoteError as error:
            waiter.set_exception(error)
        return True

    def _open(
        self, peer: Peer, method: str, params: bytes, seconds: float, waiter: Waiter[bytes]
    ) -> int:
        """Queue a call and return its number. One that is too large is refused here, alone: it
        would spoil all the others of this turn.
        """
        if len(params) > MAX_PAYLOAD_BYTES:
            text = f"{method}: {len(params)} bytes, at most {MAX_PAYLOAD_BYTES} go to an account"
            raise RemoteError(INVALID_REQUEST, text)
        number = self.calls.expect(waiter, peer.name, seconds, method)
        call = Call(number, method, params)
        queued = self._queued.get(peer)
        if queued is None:
            self._queued[peer] = [call]
        else:
            queued.append(call)
        self._flush_soon()
        return number

    async def _meet(self, key: str) -> Peer:
        """Return the peer of a running account once it has said hello: a gateway that has just
        begun lets clients in before it has met all of them. Raises ``RemoteError``.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MEET_SECONDS):
                while self._is_running(key) and key not in self._by_key:
                    self._news.clear()
                    await self._news.wait()
        peer = self._by_key.get(key)
        if peer is None:
            raise RemoteError(UNAVAILABLE, self._why_absent(key), retryable=True)
        return peer

    def _is_running(self, key: str) -> bool:
        row = self._accounts.rows.get(key)
        return row is not None and row.phase == "running"

    def _answered(self, peer: Peer | None, answer: Answer) -> None:
        if peer is None or self.calls.peer_of(answer.id) != peer.name:
            self.dropped["late answer"] += 1
        elif answer.ok:
            self.calls.settle(answer.id, answer.payload)
        else:
            self.calls.fail(answer.id, _error(peer.key, answer.payload))

    # Who may talk

    def drain_now(self) -> None:
        """Hand on everything that has arrived, before an end is made known."""
        for _ in range(MAX_DRAINS):
            if self._router.drain_now():
                return

    def reported(self, key: str) -> None:
        """Follow a new report about ``key``: welcome who became ready, forget who ended."""
        self._news.set()
        for peer in [peer for peer in self.peers.values() if peer.key == key]:
            if self._accounts.is_past(key, peer.incarnation) or key not in self._accounts.rows:
                self._forget(peer)
            elif not peer.welcome and self._accounts.may_talk(key, peer.incarnation):
                self._welcome(peer)

    def _forget(self, peer: Peer) -> None:
        for call in self._queued.pop(peer, ()):
            self.calls.fail(call.id, _not_connected(peer))
        del self.peers[peer.id]
        self._unacked.discard(peer)
        if self._by_key.get(peer.key) is peer:
            del self._by_key[peer.key]
        self.calls.fail_peer(peer.name)

    def _hello(self, id: bytes, hello: Hello) -> Peer | None:
        if not self._proof.accepts(id, hello.key, hello.incarnation, hello.token):
            self.dropped["refused"] += 1
            log.warning("worker refused", peer=id.decode(errors="replace"))
            self._send(id, Refused("wrong token"))
            return None
        if self._accounts.is_past(hello.key, hello.incarnation):
            self.dropped["stale"] += 1
            self._send(id, Refused("this incarnation has ended"))
            return None
        peer = self.peers.get(id)
        if peer is None:
            peer = self.peers[id] = Peer(id, hello.key, hello.incarnation, 0)
        ring = self._rings.of(hello.key)
        # What lies between, an earlier gateway has acknowledged.
        ring.begin(peer.incarnation, hello.oldest - 1, anew=hello.oldest - 1 > peer.seen)
        peer.seen = max(peer.seen, hello.oldest - 1)
        peer.wanted, peer.recalled = ring.lacks(peer.incarnation, hello.kept), []
        if self._accounts.may_talk(peer.key, peer.incarnation):
            self._welcome(peer)
        return peer

    def _welcome(self, peer: Peer) -> None:
        peer.welcome = self._send(peer.id, Welcome(self._gateway, peer.seen, peer.wanted))
        if peer.welcome:
            self._by_key[peer.key] = peer
            self._told.pop(peer.id, None)
            self._news.set()

    def _out_of_order(self, id: bytes, peer: Peer | None, pack: Messages) -> None:
        """Drop messages that come twice, too early, after a gap, or from a stranger."""
        count = len(pack.payloads)
        if peer is None:
            stale = self._accounts.is_past(*parse_peer(id))
            self.dropped["stale" if stale else "stranger"] += count
            self._tell_hello_first(id)
        elif pack.flags[0] & HISTORY and pack.last <= peer.seen:
            self._recall(peer, pack)
        elif pack.first <= peer.seen:
            known = min(pack.last, peer.seen) - pack.first + 1
            self.dropped["duplicate"] += known
            self._unacked.add(peer)
            self._flush_soon()
            if known < count:
                rest = pack.part(peer.seen + 1, pack.last)
                (self._hand_on if peer.welcome else self._refuse)(peer, rest)
        else:
            self._refuse(peer, pack)

    def _refuse(self, peer: Peer, pack: Messages) -> None:
        """Something is missing before these: they will be sent again after a hello."""
        self.dropped["gap" if peer.welcome else "early"] += len(pack.payloads)
        peer.welcome = False
        self._tell_hello_first(peer.id)

    def _recall(self, peer: Peer, pack: Messages) -> None:
        """Take what an earlier gateway has handed on: it is for the ring alone."""
        recalled, floor = peer.recalled, self._rings.of(peer.key).floor
        in_order = not recalled or pack.first == recalled[-1][0] + 1
        if not peer.wanted or not in_order or self._sound(peer, pack) != [pack]:
            peer.wanted, peer.recalled = 0, []
            self._news.set()
            return
        recalled += enumerate(pack.payloads, pack.first)
        if floor == (peer.incarnation, pack.last):
            self._rings.fill(peer.key, peer.incarnation, recalled)
            peer.wanted, peer.recalled = 0, []
            self._news.set()

    def _remembers(self, key: str) -> bool:
        """Say whether nothing more of an account's past is to be expected."""
        if not self._is_running(key):
            return True
        peer = self._by_key.get(key)
        return peer is not None and not peer.wanted

    async def remembered(self, keys: Iterable[str], seconds: float) -> None:
        """Wait until the accounts have told what they still have, at most ``seconds``."""
        keys = list(keys)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not all(map(self._remembers, keys)):
                    self._news.clear()
                    await self._news.wait()

    def _tell_hello_first(self, id: bytes) -> None:
        """Ask for a hello, but seldom: a flood gets no flood back."""
        now = self._clock()
        if now - self._told.get(id, 0.0) < TELL_AGAIN:
            return
        if len(self._told) >= MAX_STRANGERS:
            self._told.clear()
        self._told[id] = now
        self._send(id, Refused(HELLO_FIRST))

    # Beside it

    def close(self) -> None:
        """Close the link; what is waited for fails."""
        self.calls.fail_all()
        self._router.close()

    def _send(self, id: bytes, message: FromGateway) -> bool:
        try:
            return self._router.send(id, encode([message]))
        except PeerGone:
            return False

    def _why_absent(self, key: str) -> str:
        row = self._accounts.rows.get(key)
        if row is None:
            return f"{key} is not known"
        if row.phase == "running":
            return f"{key} is not connected yet"
        why = row.cause or row.last_error
        return f"{key} is not running ({row.phase}{f': {why}' if why else ''})"

    def _on_error(self, error: Exception) -> None:
        self.dropped["malformed"] += 1
        if isinstance(error, FrameError):
            log.warning("worker frame refused", why=str(error))
        else:
            log.error("worker frame failed", exc_info=error)


def _error(key: str, payload: bytes) -> RemoteError:
    """Return an account's refusal as the exception that it stands for."""
    try:
        shape = msgspec.json.decode(payload, type=ErrorShape)
    except MALFORMED:
        shape = ErrorShape(UNAVAILABLE, f"{key}: malformed error")
    return error_of(shape)


def _not_connected(peer: Peer) -> RemoteError:
    return RemoteError(UNAVAILABLE, f"{peer.key} is not connected", retryable=True)


def _packs(calls: list[Call]) -> Iterator[list[Call]]:
    """Yield the calls in packs that are not too large; a very large call goes alone."""
    pack: list[Call] = []
    size = 0
    for call in calls:
        size += len(call.params)
        if pack and (len(pack) >= PACK_FRAMES or size > PACK_BYTES):
            yield pack
            pack, size = [], len(call.params)
        pack.append(call)
    yield pack
