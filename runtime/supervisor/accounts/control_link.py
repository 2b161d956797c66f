"""Receives the control frames of all workers on one ROUTER socket, and sends them requests.

A frame counts only if the peer is authenticated and is the current incarnation; everything else
is dropped and counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import structlog

from ipc import timeouts
from ipc.errors import FrameError, IpcError
from ipc.frames import control
from ipc.frames.words import ALIVE, Phase
from ipc.identity.peer import PeerProof, parse_peer, peer_name
from ipc.zeromq.flood import FloodGuard
from ipc.zeromq.router import Router
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.lifecycle import Ready, Waiting

T = TypeVar("T")

log = structlog.get_logger("link")


def _warn(text: str) -> None:
    log.warning(text, link="control")


class _Question(msgspec.Struct):
    """A pending request to a worker, and the number of callers that wait for its answer."""

    frame: control.FromSupervisor
    answer: asyncio.Future[Any]
    waiting: int = 0


class ControlLink:
    """Handles hellos, beats, readiness and status patches of the workers.

    ``find(key)`` returns the account of a key. ``stale`` counts the frames of earlier
    incarnations, ``refused`` those without a proof or a meaning.
    """

    def __init__(
        self,
        address: str,
        secret: bytes,
        *,
        find: Callable[[str], Account | None],
        on_hello: Callable[[Account], None],
        on_change: Callable[[Account], None],
        on_figures: Callable[[Account], None],
    ) -> None:
        self._proof = PeerProof(secret)
        self._find = find
        self._on_hello = on_hello
        self._on_change = on_change
        self._on_figures = on_figures
        self._proved: dict[str, tuple[bytes, Account]] = {}  # by key: one peer at a time
        self._ping = 0
        self._asked: dict[tuple[bytes, type], _Question] = {}  # by kind of answer
        self.stale = 0
        self.refused = 0
        self._address = address
        self._router: Router | None = None
        self._guard: FloodGuard | None = None

    def open(self) -> None:
        """Bind the socket; raises ``EndpointError``."""
        self._router = Router(
            self._address,
            self._proof,
            self._on_frame,
            max_bytes=control.MAX_BODY_BYTES,
            on_error=self._on_error,
            on_warning=_warn,
        )
        # What a worker had said and we not read, it says again when it connects anew.
        self._guard = FloodGuard(self._router, lambda: None, _warn)

    def close(self) -> None:
        """Close the socket, if it was opened."""
        if self._guard is not None:
            self._guard.close()
        if self._router is not None:
            self._router.close()
            self._router = None

    def drain_now(self) -> None:
        """Handle the frames that have already arrived, for example before silence is checked."""
        if self._router is not None:
            self._router.drain_now()

    def ping(self, account: Account) -> None:
        """Send a ping; the answer, like any frame, is a sign of life."""
        self._ping += 1
        self._try_send(account, control.Ping(self._ping), "ping")

    def send_interval(self, account: Account, beat: float) -> None:
        """Send a worker its interval between beats, unless it already has it."""
        heartbeat = account.heartbeat
        if not heartbeat.met or heartbeat.pace == beat:
            return
        if self._try_send(account, control.BeatInterval(beat), "pace"):
            heartbeat.set_pace(beat)

    def send_gateway_up(self, account: Account, up: bool) -> None:
        """Send a ready worker whether the gateway runs, unless it already knows."""
        heartbeat = account.heartbeat
        up = up and account.phase is Phase.RUNNING  # before that the gateway answers nothing
        if not heartbeat.met or heartbeat.gateway_up == up:
            return
        if self._try_send(account, control.GatewayUp(up), "gateway's state"):
            heartbeat.set_gateway_up(up)

    def request_share(self, account: Account) -> None:
        """Ask a worker for its share of memory; the answer is stored in its heartbeat."""
        self._try_send(account, control.Weigh(), "question for its memory")

    def _try_send(self, account: Account, frame: control.FromSupervisor, what: str) -> bool:
        """Send ``frame`` to the account's worker; return whether it was sent; a check retries."""
        try:
            self._send(_peer_of(account), frame)
        except IpcError as error:
            log.debug(f"{what} not sent", account=account.key, error=str(error))
            return False
        return True

    async def request_drain(self, account: Account, seconds: float) -> bool:
        """Ask the worker to finish what is in flight; return whether it did within ``seconds``."""
        return await self._request(account, control.Drain(), control.Drained, seconds) is not None

    async def request_recheck(self, account: Account, seconds: float) -> control.Rechecked | None:
        """Ask the worker to read its secrets again and compare; ``None``: it did not answer."""
        return await self._request(account, control.Recheck(), control.Rechecked, seconds)

    async def send_login_answer(
        self, account: Account, answer: control.LoginAnswer, seconds: float
    ) -> control.LoginTaken | None:
        """Send a person's answer to the worker; return its reply, ``None`` if there is none."""
        return await self._request(account, answer, control.LoginTaken, seconds)

    async def _request(
        self, account: Account, question: control.FromSupervisor, kind: type[T], seconds: float
    ) -> T | None:
        """Send a request and return the answering frame; callers with the same request share it.

        It is sent again when the worker reconnects: the request or its answer may be lost.
        """
        peer = _peer_of(account)
        asked = self._asked.get((peer, kind))
        if asked is None or asked.answer.done():
            future = asyncio.get_running_loop().create_future()
            asked = self._asked[peer, kind] = _Question(question, future)
        asked.waiting += 1
        try:
            self._send(peer, question)
            async with timeouts.timeout(seconds):
                found: T = await asyncio.shield(asked.answer)
                return found
        except (TimeoutError, IpcError) as error:
            log.warning(
                "no answer", account=account.key, to=type(question).__name__, error=str(error)
            )
            return None
        finally:
            asked.waiting -= 1
            if not asked.waiting and self._asked.get((peer, kind)) is asked:
                del self._asked[peer, kind]

    def _resend_requests(self, account: Account, peer: bytes) -> None:
        for (asked, _), question in self._asked.items():
            if asked == peer and not question.answer.done():
                self._try_send(account, question.frame, type(question.frame).__name__)

    def _send(self, peer: bytes, frame: control.FromSupervisor) -> None:
        """Send a frame; raises ``IpcError`` when the peer is not there."""
        if self._router is None:
            raise IpcError("the control link is not open")
        self._router.send(peer, control.encode([frame]))

    def forget(self, key: str, last: int) -> None:
        """Drop a removed account; ``last`` was its last incarnation."""
        self._proved.pop(key, None)
        if self._router is not None:
            self._router.forget(key, last)

    @property
    def floods(self) -> int:
        """How often the socket was rebound because the link was flooded."""
        return self._guard.floods if self._guard is not None else 0

    @property
    def reconnecting(self) -> dict[str, int]:
        """The workers that never stay connected (see ``Router.reconnecting``)."""
        return self._router.reconnecting if self._router is not None else {}

    @property
    def handshakes_refused(self) -> int:
        """How many connections were refused because they proved no worker of this boot."""
        return self._router.refused if self._router is not None else 0

    def _on_error(self, error: Exception) -> None:
        if isinstance(error, FrameError):
            self.refused += 1
            log.warning("control frame refused", peer=error.peer, why=str(error))
        else:
            log.error("control frame failed", error=str(error), exc_info=error)

    def _on_frame(self, peer: bytes, body: bytes) -> None:
        frames = control.decode_from_worker(body)
        for frame in frames:
            if isinstance(frame, control.ControlHello):
                self._authenticate(peer, frame)
            elif (account := self._sender(peer)) is None:
                self.stale += 1
            else:
                self._apply_frame(account, frame)

    def _sender(self, peer: bytes) -> Account | None:
        """Return the account of an authenticated peer if the peer is its current incarnation."""
        proved, account = self._proved.get(parse_peer(peer)[0], (None, None))
        return account if account and proved == peer and self._is_current(account, peer) else None

    def _is_current(self, account: Account, peer: bytes) -> bool:
        return account.phase in ALIVE and peer == _peer_of(account)

    def _authenticate(self, peer: bytes, hello: control.ControlHello) -> None:
        account = self._find(hello.key)
        proved = self._proof.accepts(peer, hello.key, hello.incarnation, hello.token)
        if account is None or not proved:
            self.refused += 1
            log.warning("worker refused", peer=peer.decode(errors="replace"))
        elif not self._is_current(account, peer):
            self.stale += 1
        else:
            self._proved[account.key] = peer, account
            account.heartbeat.on_hello(asyncio.get_running_loop().time())
            self._resend_requests(account, peer)
            self._on_hello(account)

    def _apply_frame(self, account: Account, frame: control.FromWorker) -> None:
        now = asyncio.get_running_loop().time()
        changed = account.on_frame(now)
        match frame:
            case control.WorkerReady():
                account.child.post(Ready(account.child.state.incarnation))
            case control.WorkerWaits(reason=reason):
                account.child.post(Waiting(account.child.state.incarnation, reason))
            case control.Beat():
                account.on_beat(frame, now)
                self._on_figures(account)
            case control.Weighed(pss_bytes=share):
                account.heartbeat.set_share(share)
            case control.StatusPatch(patch=patch):
                changed |= account.apply_patch(patch)
            case control.LoginAsked():
                account.on_login_asked(frame, now)
            case control.LoginOver():
                account.on_login_asked(None, now)
            case control.Drained() | control.Rechecked() | control.LoginTaken():
                asked = self._asked.get((_peer_of(account), type(frame)))
                if asked is not None and not asked.answer.done():
                    asked.answer.set_result(frame)
        if changed:
            self._on_change(account)


def _peer_of(account: Account) -> bytes:
    """Return the public name of the account's present process."""
    return peer_name(account.key, account.child.state.incarnation).encode()
