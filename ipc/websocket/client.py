"""Calls a gateway, or the supervisor's ``cli.sock``, over one WebSocket session.

    async with await Client.connect("ws://127.0.0.1:18789", token="…") as client:
        print(await client.call("health"))

One session and no more: ``ReconnectingClient`` opens another when it ends. A request that was
on its way then fails with ``PeerGone(maybe_executed=True)``; only its caller knows whether to
repeat it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Self, Unpack

import msgspec
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from ipc import timeouts
from ipc.calls import Calls
from ipc.errors import CallTimeout, FrameError, PeerGone, RemoteError
from ipc.frames import jsonrpc
from ipc.frames.websocket import (
    ErrorShape,
    Event,
    Request,
    Response,
    decode_from_server,
    encode,
    error_of,
)
from ipc.frames.words import UNAVAILABLE
from ipc.nesting import MALFORMED, decode_json
from ipc.websocket.connect import ConnectOptions, Opening, open_session
from ipc.websocket.inbox import Inbox, OnEvent
from ipc.websocket.library_client import ClientConnection

RESTART = 1012  # the close code of a gateway that restarts or stops
OnGap = Callable[[int], None]


class Client:
    """One session. Made by ``connect``; ended by ``close`` or by the other side.

    ``hello`` is the hello's payload, ``heard`` the loop's time of the last frame, ``gaps``
    the number of events missing by their ``seq``, ``malformed`` of frames not understood.
    ``leaving`` is done from the event ``shutdown`` on: what is under way is still answered, what
    comes now is better asked of another session. ``closed`` becomes ``(code, reason)`` when the
    session has ended.
    """

    def __init__(
        self,
        connection: ClientConnection,
        hello: dict[str, Any],
        place: str,
        on_event: OnEvent | None,
        on_gap: OnGap | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.hello = hello
        self.protocol: int = hello.get("protocol", 0)
        self.place = place
        self.heard = loop.time()
        self.gaps = 0
        self.malformed = 0
        self.leaving: asyncio.Future[None] = loop.create_future()
        self._closed: asyncio.Future[tuple[int, str]] = loop.create_future()
        self._ended = False
        self._connection = connection
        self._inbox = Inbox(place, on_event)
        self._on_gap = on_gap
        self._calls: Calls[Any] = Calls()
        self._seq = 0
        self._reader = asyncio.create_task(self._read(), name=f"client of {place}")

    @property
    def closed(self) -> asyncio.Future[tuple[int, str]]:
        """Code and reason, once the session has ended; one of several that wait may stop."""
        return asyncio.shield(self._closed)

    @classmethod
    async def connect(
        cls,
        url: str = "ws://localhost/",
        *,
        on_event: OnEvent | None = None,
        on_gap: OnGap | None = None,
        retry: Iterable[float] = (),
        **options: Unpack[ConnectOptions],
    ) -> Self:
        """Open a session: wait for the challenge, send ``connect``, return after ``hello-ok``.

        ``on_event`` gets each event at once, in place of ``events``; ``on_gap`` the number of
        events that are missing by their ``seq``, before the next one. ``retry`` are the waits
        in seconds before further tries (0.15, 0.35, 0.75, 1.5 outlive a restart of the
        gateway). Raises ``ConnectionFailed`` or ``RemoteError``.
        """
        opening = Opening(url=url, **options)
        connection, hello = await open_session(opening, retry)
        return cls(connection, hello, opening.place, on_event, on_gap)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def ending(self) -> bool:
        """True if the gateway has announced its end, or the session has ended."""
        return self.leaving.done()

    @property
    def usable(self) -> bool:
        """True while a call can be sent."""
        return not self.ending and self._connection.state is State.OPEN

    @property
    def dropped(self) -> int:
        """The number of events that were dropped because they were not read."""
        return self._inbox.dropped

    @property
    def late(self) -> int:
        """The number of answers to calls that were not pending any more."""
        return self._calls.late

    async def call(self, method: str, params: Any = None, *, timeout: float = 30.0) -> Any:
        """Send a request and return the payload of its answer.

        ``timeout`` is in seconds. Without ``params`` the key is left out. Raises ``RemoteError``,
        ``CallTimeout``, or ``PeerGone``, whose ``maybe_executed`` is true when the request had
        been sent.
        """
        if self._ended or self._connection.state is not State.OPEN:
            raise PeerGone(self.place, maybe_executed=False)
        raw = msgspec.UNSET if params is None else msgspec.Raw(msgspec.json.encode(params))
        number, future = self._calls.start(self.place, timeout, method)
        request = encode(Request(str(number), method, raw))
        try:
            async with timeouts.timeout(timeout):
                await self._connection.send(request, text=True)
            return await self._calls.answer(number, future)
        except TimeoutError:
            raise CallTimeout(method, timeout) from None
        except ConnectionClosed:
            raise self._closing_error() from None
        finally:
            self._calls.forget(number)
            if future.done() and not future.cancelled():
                future.exception()  # seen: the session may have ended while we were sending

    def events(self) -> AsyncIterator[Event]:
        """Yield events until the session ends; those since ``connect`` first.

        Only without ``on_event``. For one reader.
        """
        return self._inbox.events()

    def abort(self) -> None:
        """End the session at once, without a close frame, for a peer that does not answer."""
        self._connection.transport.abort()

    async def close(self) -> None:
        """End the session; pending calls fail. Closing twice does nothing."""
        await self._connection.close()
        await asyncio.wait([self._reader])

    async def _read(self) -> None:
        ended = 1006, ""
        try:
            while True:
                self._receive(await self._connection.recv(decode=False))
        except ConnectionClosed as error:
            if error.rcvd is not None:
                ended = error.rcvd.code, error.rcvd.reason
        finally:
            self._ended = True
            self._mark_leaving()
            if not self._closed.done():
                self._closed.set_result(ended)
            self._calls.fail_all(self._closing_error())
            self._inbox.end()

    def _receive(self, data: bytes) -> None:
        self.heard = asyncio.get_running_loop().time()
        frame: Response | Event | None
        try:
            frame = decode_from_server(data)
        except FrameError:
            frame = jsonrpc.read(data)  # an older gateway's way
        if frame is None:
            self.malformed += 1
            return
        if isinstance(frame, Response):
            self._on_response(frame)
        else:
            self._on_event(frame)

    def _on_response(self, frame: Response) -> None:
        number = int(frame.id) if str(frame.id).isdecimal() else 0
        if frame.ok:
            try:
                payload = (
                    decode_json(frame.payload) if isinstance(frame.payload, msgspec.Raw) else None
                )
            except MALFORMED as error:
                self._calls.fail(number, FrameError(f"malformed payload: {error}"))
            else:
                self._calls.resolve(number, payload)
        elif isinstance(frame.error, ErrorShape):
            self._calls.fail(number, error_of(frame.error))
        else:
            self._calls.fail(number, RemoteError(UNAVAILABLE, "failed without a reason"))

    def _on_event(self, event: Event) -> None:
        if isinstance(event.seq, int):
            missing = max(0, event.seq - self._seq - 1) if self._seq else 0
            self._seq = event.seq
            self.gaps += missing
            if missing and self._on_gap is not None:
                self._on_gap(missing)
        if event.event == "shutdown":
            self._mark_leaving()
        self._inbox.put(event)

    def _closing_error(self) -> PeerGone:
        """Return why a call has no answer.

        Our gateway promises that what it has not answered when it closes with 1012 has not been
        carried out (docs/protocol.md, Restart).
        """
        closed = self._connection.close_code
        promised = "repeatable" in (self.hello.get("features") or {})
        return PeerGone(self.place, maybe_executed=not (promised and closed == RESTART))

    def _mark_leaving(self) -> None:
        if not self.leaving.done():
            self.leaving.set_result(None)
