"""Keeps the present session to one gateway, or the reason why there is none.

Separate from the calls (``reconnecting``), which only ask for the present session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ipc.errors import ConnectionFailed, IpcError, PeerGone, RemoteError
from ipc.websocket.backoff import CLIENT_POLICY, is_final, is_starting, is_transient
from ipc.websocket.client import Client
from ipc.websocket.reconnect_loop import Failure, ReconnectLoop

PROVEN = 1.0  # seconds; a session that has lived so long is replaced at once
SILENT_TICKS = 2  # as the real client: then the gateway counts as gone
TICK_MS = 30_000


class Sessions:
    """Keeps a session open from ``open`` until ``close`` or a final error.

    ``connect()`` opens one. ``on_open(client)`` is awaited with each, ``on_lost(reason)`` called at
    each end, ``on_end()`` at the last. ``patience``: the seconds without a session after
    which it is given up; ``None``: never. ``opened`` counts them; ``ended`` is what ended it all.
    """

    def __init__(
        self,
        place: str,
        connect: Callable[[], Awaitable[Client]],
        on_open: Callable[[Client], Awaitable[None]],
        on_lost: Callable[[str], None],
        on_end: Callable[[], None],
        patience: float | None,
    ) -> None:
        self.opened = 0
        self.ended: IpcError | None = None
        self._place = place
        self._connect = connect
        self._on_open = on_open
        self._on_lost = on_lost
        self._on_end = on_end
        self._patience = patience
        self._current: Client | None = None
        self._ready = False  # the first one has been welcomed
        self._living: set[Client] = set()  # the current one, and those that still owe answers
        self._failure: IpcError | None = None  # why there is none; not for ever
        self._news = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """True if there is a session that can be used at once."""
        return self._current is not None and self._current.usable

    async def open(self) -> None:
        """Open the first session; raises the error of a failure, and leaves nothing open then."""
        self._keeper = asyncio.create_task(self._keep(), name=f"sessions of {self._place}")
        try:
            while not self._ready:
                await self.current()
                if not self._ready:
                    await self._news.wait()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End all sessions. Closing twice does nothing."""
        self._end(PeerGone(self._place, maybe_executed=False))
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        for client in list(self._living):
            await client.close()

    async def current(self) -> Client:
        """Return the present session; wait for the next one if a restart may explain its absence.

        Raises what else explains it: what ended everything, or the last failure to connect.
        """
        while True:
            if self.ended is not None:
                raise self.ended
            if self._current is not None and self._current.usable:
                return self._current
            if self._failure is not None:
                raise self._failure
            await self._news.wait()

    async def next(self) -> None:
        """Wait until there is a session, without a time limit; raises the final error."""
        while not self.connected:
            if self.ended is not None:
                raise self.ended
            await self._news.wait()

    async def _keep(self) -> None:
        tries = ReconnectLoop(
            self._connect,
            self._hold,
            policy=CLIENT_POLICY,
            on_lost=self._report_lost,
            on_failure=self._on_failed,
            proven=PROVEN,
        )
        try:
            await tries.run()
        except IpcError as error:
            self._end(error)
        except Exception as error:  # a fault of ours: no caller must wait for ever
            self._end(IpcError(f"{self._place}: {type(error).__name__}: {error}"))
            raise

    def _report_lost(self, reason: str) -> bool:
        self._on_lost(reason)
        return True

    def _on_failed(self, failure: Failure) -> bool:
        """Record the reason why there is no session; raise the error if it is final."""
        error = failure.error
        if not isinstance(error, ConnectionFailed | RemoteError) or is_final(error):
            raise error
        if self._patience is not None and failure.without + failure.wait > self._patience:
            raise error
        worn = failure.earlier >= len(CLIENT_POLICY.steps) and not is_starting(error)
        if worn or not is_transient(error):
            self._failure = error
            self._wake()
        return True

    async def _hold(self, client: Client) -> str:
        """Keep a session usable until it ends or announces its end; return the reason."""
        self._current, self._failure = client, None
        self._living.add(client)
        client.closed.add_done_callback(lambda _: self._living.discard(client))
        self.opened += 1
        self._wake()
        try:
            await self._on_open(client)
        except IpcError as error:
            if is_final(error):
                raise
            client.abort()
            return str(error)
        self._ready = True
        self._wake()
        return await _end_of(client)

    def _end(self, error: IpcError) -> None:
        if self.ended is None:
            self.ended = error
            self._on_end()
            self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


async def _end_of(client: Client) -> str:
    """Wait until a session ends, announces it, or has been silent for too long; return which."""
    policy = client.hello.get("policy") or {}
    silence = SILENT_TICKS * (policy.get("tickIntervalMs") or TICK_MS) / 1000
    loop = asyncio.get_running_loop()
    while not client.ending and (left := client.heard + silence - loop.time()) > 0:
        await asyncio.wait({client.leaving}, timeout=left)
    if client.closed.done():
        code, reason = client.closed.result()
        return f"closed with {code} {reason}".rstrip()
    if client.ending:
        return "the gateway shuts down"
    client.abort()
    return f"silent for {silence:g} s"
