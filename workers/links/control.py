"""Connects a worker to the supervisor: hello, ready, beats and status up, requests down.

Frames are small and rare, as the supervisor carries no chat. The last state is kept and sent
again as a whole when the link has lost a frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ipc import timeouts
from ipc.frames.bootstrap import WorkerBoot
from ipc.frames.control import (
    MAX_PROBLEM,
    Beat,
    BeatInterval,
    ControlHello,
    Drain,
    Drained,
    FromWorker,
    GatewayUp,
    LoginAnswer,
    LoginAsked,
    LoginOver,
    LoginTaken,
    Ping,
    Pong,
    Recheck,
    Rechecked,
    StatusPatch,
    Weigh,
    Weighed,
    WorkerReady,
    WorkerWaits,
    decode_from_supervisor,
    encode,
)
from ipc.identity.peer import PeerCredentials, peer_name
from ipc.zeromq.dealer import Dealer

LEAST_SECONDS = 0.001  # of a prompt that has expired; 0 is one that never does
LAST_BEAT_MS = 100  # for the last beat to be sent: its counts are the final ones


def _not_asked(answer: LoginAnswer) -> LoginTaken:
    return LoginTaken(answer.id, "the account asks for no login")


class WorkerControlLink:
    """The control link of one incarnation.

    ``figures(lag)`` creates each beat. ``on_drain`` is called when the account must finish pending
    work, ``on_recheck`` when it must compare its secrets with their present values,
    ``on_gateway(up)`` when the gateway has started or ended, ``on_login(answer)`` when a person has
    answered a prompt. ``pss`` returns the proportional share of memory in bytes, 0 if unknown.
    """

    def __init__(
        self,
        boot: WorkerBoot,
        figures: Callable[[float], Beat],
        on_drain: Callable[[], None] = lambda: None,
        on_recheck: Callable[[], None] = lambda: None,
        on_gateway: Callable[[bool], None] = lambda up: None,
        pss: Callable[[], int] = lambda: 0,
        on_login: Callable[[LoginAnswer], LoginTaken] = _not_asked,
    ) -> None:
        self.ready = False
        self._boot = boot
        self._figures = figures
        self._on_drain = on_drain
        self._on_recheck = on_recheck
        self._on_gateway = on_gateway
        self._pss = pss
        self._on_login = on_login
        self._loop = asyncio.get_running_loop()
        self._dealer: Dealer | None = None
        self._status: dict[str, Any] = {}
        self._changes: dict[str, Any] = {}
        self._scheduled = False
        self._waits = ""  # for what the account waits
        self._login: LoginAsked | None = None  # what a person is asked
        self._login_end = 0.0  # on the loop's clock, where it expires
        self._met = False  # connected once
        self._incomplete = False  # the supervisor lacks a frame: it is sent the whole state again
        self._pace = boot.beat  # seconds between two beats
        self._paced = asyncio.Event()  # the pace has changed

    def open(self) -> None:
        """Connect, and send ``ControlHello`` to report that the process is up."""
        self._dealer = Dealer(
            self._boot.control,
            PeerCredentials(peer_name(self._boot.key, self._boot.incarnation), self._boot.token),
            self._on_body,
            on_error=lambda error: None,  # the link counts it; a malformed order changes nothing
            on_writable=self._resend_state,
            linger_ms=LAST_BEAT_MS,
        )
        self._send(self._hello())

    def close(self) -> None:
        """Close at once."""
        if self._dealer:
            self._dealer.close()

    def send_ready(self) -> None:
        """Send ``WorkerReady``, once, to report that the account works."""
        if not self.ready:
            self.ready, self._login = True, None
            self._send_changes()
            self._send(WorkerReady())

    def send_waits(self, reason: str) -> None:
        """Send what the account waits for before it can be ready; empty: no longer."""
        self._waits = reason
        self._send(WorkerWaits(reason))

    def send_login(self, asked: LoginAsked | None) -> None:
        """Send the login prompt for a person; ``None``: the prompt is over."""
        before, self._login = self._login, asked
        if asked is not None:
            self._login_end = self._loop.time() + asked.expires
            self._send(asked)
        elif before is not None:
            self._send(LoginOver())

    def send_drained(self) -> None:
        """Send ``Drained`` to report that nothing is in flight any more."""
        self._send(Drained())

    def send_rechecked(self, changed: bool, problem: str = "") -> None:
        """Send whether the secrets have changed, or why they cannot be read."""
        self._send(Rechecked(changed, problem[:MAX_PROBLEM]))

    def patch(self, fields: Mapping[str, Any]) -> None:
        """Change fields of the account's status row; changes are sent once per loop iteration."""
        for name, value in fields.items():
            if name not in self._status or self._status[name] != value:
                self._status[name] = self._changes[name] = value
        if self._changes and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._send_changes)

    def beat(self, lag: float = 0.0) -> None:
        """Send one beat now. ``lag`` is how late it is, in seconds."""
        self._send(self._figures(lag))

    async def send_beats(self, each: Callable[[], None]) -> None:
        """Send beats until cancelled; call ``each`` before every one."""
        due = self._loop.time()
        while True:
            now = self._loop.time()
            each()
            self.beat(max(0.0, now - due))
            due = now + self._pace
            await self._wait_for_beat()

    async def _wait_for_beat(self) -> None:
        """Wait until the next beat is due, or until the pace changes."""
        self._paced.clear()
        with contextlib.suppress(TimeoutError):
            async with timeouts.timeout(self._pace):
                await self._paced.wait()

    def _hello(self) -> ControlHello:
        return ControlHello(self._boot.key, self._boot.incarnation, self._boot.token, os.getpid())

    def _send_changes(self) -> None:
        self._scheduled = False
        if self._changes:
            changes, self._changes = self._changes, {}
            self._send(StatusPatch(changes))

    def _resend_state(self) -> None:
        """Send the whole state again when part of it may be lost."""
        if self._incomplete:
            self._incomplete = False
            frames: list[FromWorker] = [self._hello(), StatusPatch(dict(self._status))]
            if self._waits:
                frames.append(WorkerWaits(self._waits))
            if self._login is not None:
                frames.append(self._login_now(self._login))
            if self.ready:
                frames.append(WorkerReady())
            self._send(*frames)

    def _login_now(self, asked: LoginAsked) -> LoginAsked:
        """Return a prompt with the time that it has left."""
        if not asked.expires:
            return asked
        left = max(self._login_end - self._loop.time(), LEAST_SECONDS)
        return msgspec.structs.replace(asked, expires=left)

    def _send(self, *frames: FromWorker) -> None:
        dealer = self._dealer
        if dealer is None or dealer.closed:
            return
        if not dealer.send(encode(frames)):
            self._incomplete = True

    def _on_weighed(self, weighed: asyncio.Future[int]) -> None:
        if not weighed.cancelled():
            self._send(Weighed(weighed.result()))

    def _on_body(self, body: bytes) -> None:
        if not body:  # the router's greeting: what an earlier connection carried may be lost
            self._incomplete = self._met
            self._met = True
            self._resend_state()
            return
        for frame in decode_from_supervisor(body):
            if isinstance(frame, Ping):
                self._send(Pong(frame.id))
            elif isinstance(frame, Drain):
                self._on_drain()
            elif isinstance(frame, Recheck):
                self._on_recheck()
            elif isinstance(frame, GatewayUp):
                self._on_gateway(frame.up)
            elif isinstance(frame, Weigh):
                # In a thread: the kernel walks all pages of all programs that it has started.
                weighing = self._loop.run_in_executor(None, self._pss)
                weighing.add_done_callback(self._on_weighed)
            elif isinstance(frame, LoginAnswer):
                self._send(self._on_login(frame))
            elif isinstance(frame, BeatInterval):
                self._pace = frame.beat
                self._paced.set()
