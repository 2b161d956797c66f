"""The supervisor's end of the control links: one ROUTER for all workers.

A frame counts only when the peer has proved who it is, and only for the incarnation that
is alive now; everything else is dropped and counted.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable

import structlog

from ipc import control
from ipc.envelope import peer_name, worker_token
from ipc.errors import FrameError, IpcError
from ipc.zmqlink import Router
from runtime.account import Account
from runtime.lifecycle import Phase, Ready

log = structlog.get_logger("link")


class ControlLink:
    """Takes hellos, beats, readiness and status patches from the workers."""

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
        self._secret = secret
        self._find = find
        self._on_hello = on_hello
        self._on_change = on_change
        self._on_figures = on_figures
        self._proved: dict[bytes, Account] = {}
        self._ping = 0
        self.stale = 0
        self.refused = 0
        self._router = Router(address, self._on_frame, max_bytes=control.MAX_BODY_BYTES)

    def close(self) -> None:
        """Close the socket."""
        self._router.close()

    def drain_now(self) -> None:
        """Read what has arrived already: before judging silence."""
        self._router.drain_now()

    def ask(self, account: Account) -> None:
        """Send a ping; the answer, like any frame, is a sign of life."""
        self._ping += 1
        peer = peer_name(account.key, account.child.state.incarnation)
        try:
            self._router.send(peer.encode(), control.encode([control.Ping(self._ping)]))
        except IpcError as error:
            log.debug("ping not sent", account=account.key, error=str(error))

    def forget(self, account: Account, incarnation: int) -> None:
        """Drop the proof of an incarnation that ended."""
        self._proved.pop(peer_name(account.key, incarnation).encode(), None)

    def _on_frame(self, peer: bytes, body: bytes) -> None:
        try:
            frames = control.decode_from_worker(body)
        except FrameError as error:
            self.refused += 1
            log.warning("control frame refused", peer=peer.decode(errors="replace"), why=str(error))
            return
        for frame in frames:
            account = self._proved.get(peer)
            if isinstance(frame, control.Hello):
                self._hello(peer, frame)
            elif account is None or not self._is_current(account, peer):
                self.stale += 1
            else:
                self._take(account, frame)

    def _is_current(self, account: Account, peer: bytes) -> bool:
        state = account.child.state
        alive = state.phase in (Phase.STARTING, Phase.RUNNING, Phase.STOPPING)
        return alive and peer == peer_name(account.key, state.incarnation).encode()

    def _hello(self, peer: bytes, hello: control.Hello) -> None:
        account = self._find(hello.key)
        expected = worker_token(self._secret, hello.key, hello.incarnation)
        named = peer == peer_name(hello.key, hello.incarnation).encode()
        proved = hmac.compare_digest(expected, hello.token)
        if account is None or not named or not proved:
            self.refused += 1
            log.warning("worker refused", peer=peer.decode(errors="replace"))
        elif not self._is_current(account, peer):
            self.stale += 1
        else:
            self._proved[peer] = account
            account.figures.hello = True
            account.heard(asyncio.get_running_loop().time())
            self._on_hello(account)

    def _take(self, account: Account, frame: control.FromWorker) -> None:
        now = asyncio.get_running_loop().time()
        relieved = account.heard(now)
        match frame:
            case control.Ready():
                account.child.post(Ready(account.child.state.incarnation))
            case control.Beat():
                account.beat(frame, now)
                self._on_figures(account)
            case control.Status(patch=patch):
                relieved |= account.patch(patch)
        if relieved:
            self._on_change(account)
