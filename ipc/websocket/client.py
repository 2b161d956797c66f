"""A client of the gateway, and of the supervisor's ``cli.sock``: the same frames on both.

    async with await Client.connect("ws://127.0.0.1:18789", token="…") as client:
        print(await client.call("health"))

One session and no more: ``wsreconnect`` opens another when it ends. A request that was on its
way then fails with ``PeerGone(maybe_executed=True)``; only its caller knows whether to repeat it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

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
from ipc.identity.device import Identity
from ipc.websocket.connect import Opening, open_session
from ipc.websocket.inbox import Inbox, OnEvent

OPERATOR = tuple(
    f"operator.{name}"
    for name in (
        "read",
        "write",
        "admin",
        "approvals",
        "questions",
        "pairing",
        "talk",
        "talk.secrets",
    )
)
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
        self.closed: asyncio.Future[tuple[int, str]] = loop.create_future()
        self._ended = False
        self._connection = connection
        self._inbox = Inbox(place, on_event)
        self._on_gap = on_gap
        self._calls: Calls[Any] = Calls()
        self._seq = 0
        self._reader = asyncio.create_task(self._read(), name=f"client of {place}")

    @classmethod
    async def connect(
        cls,
        url: str = "ws://localhost/",
        *,
        token: str | None = None,
        password: str | None = None,
        client: dict[str, Any] | None = None,
        role: str = "operator",
        scopes: Sequence[str] = OPERATOR,
        caps: Sequence[str] = (),
        min_protocol: int = 3,
        max_protocol: int = 4,
        timeout: float = 10.0,
        on_event: OnEvent | None = None,
        on_gap: OnGap | None = None,
        unix: Path | None = None,
        retry: Iterable[float] = (),
        identity: Identity | None = None,
        commands: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
    ) -> Self:
        """Open a session: wait for the challenge, say ``connect``, return after ``hello-ok``.

        ``timeout`` is for one try, in seconds; ``retry`` are the waits before further tries
        (0.15, 0.35, 0.75, 1.5 outlive a restart of the gateway). ``client`` overrides
        fields of the client's description. ``on_gap`` is told how many events are missing by their
        ``seq``, before the next one. ``identity`` proves which device this is; the token
        that the gateway gives it is kept and used (``Identity.load``). ``commands`` are what a
        connection with ``role="node"`` can be asked to do. ``tls`` is for ``wss`` only, where
        the system's authorities are not those to trust. Raises ``ConnectionFailed`` or
        ``RemoteError``.
        """
        opening = Opening(
            url=url,
            token=token,
            password=password,
            client=client,
            role=role,
            scopes=scopes,
            caps=caps,
            min_protocol=min_protocol,
            max_protocol=max_protocol,
            timeout=timeout,
            unix=unix,
            commands=commands,
            identity=identity,
            tls=tls,
        )
        connection, hello = await open_session(opening, retry)
        return cls(connection, hello, opening.place, on_event, on_gap)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def ending(self) -> bool:
        """Whether the gateway has said that it ends, or the session has."""
        return self.leaving.done()

    @property
    def usable(self) -> bool:
        """Whether it is any use to call now."""
        return not self.ending and self._connection.state is State.OPEN

    @property
    def dropped(self) -> int:
        """Return how many events were thrown away because nobody read them."""
        return self._inbox.dropped

    @property
    def late(self) -> int:
        """Return how many answers came that nobody waited for any more."""
        return self._calls.late

    async def call(self, method: str, params: Any = None, *, timeout: float = 30.0) -> Any:
        """Return the payload of the answer.

        Without ``params`` the key is left out. Raises ``RemoteError``, ``CallTimeout``, or
        ``PeerGone``, whose ``maybe_executed`` is true when the request had been sent.
        """
        if self._ended or self._connection.state is not State.OPEN:
            raise PeerGone(self.place, maybe_executed=False)
        raw = msgspec.UNSET if params is None else msgspec.Raw(msgspec.json.encode(params))
        number, future = self._calls.start(self.place, timeout, method)
        request = encode(Request(str(number), method, raw))
        try:
            async with asyncio.timeout(timeout):
                await self._connection.send(request, text=True)
            return await self._calls.answer(number, future)
        except TimeoutError:
            raise CallTimeout(method, timeout) from None
        except ConnectionClosed:
            raise self._gone() from None
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
        """End the session without a word: the other side has stopped answering."""
        self._connection.transport.abort()

    async def close(self) -> None:
        """End the session; pending calls fail. Closing twice does nothing."""
        await self._connection.close()
        await asyncio.wait([self._reader])

    async def _read(self) -> None:
        ended = 1006, ""
        try:
            while True:
                self._take(await self._connection.recv(decode=False))
        except ConnectionClosed as error:
            if error.rcvd is not None:
                ended = error.rcvd.code, error.rcvd.reason
        finally:
            self._ended = True
            self._leave()
            if not self.closed.done():
                self.closed.set_result(ended)
            self._calls.fail_all(self._gone())
            self._inbox.end()

    def _take(self, data: bytes) -> None:
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
            self._answered(frame)
        else:
            self._happened(frame)

    def _answered(self, frame: Response) -> None:
        number = int(frame.id) if str(frame.id).isdecimal() else 0
        if frame.ok:
            try:
                payload = (
                    msgspec.json.decode(frame.payload)
                    if isinstance(frame.payload, msgspec.Raw)
                    else None
                )
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                self._calls.fail(number, FrameError(f"malformed payload: {error}"))
            else:
                self._calls.settle(number, payload)
        elif isinstance(frame.error, ErrorShape):
            self._calls.fail(number, error_of(frame.error))
        else:
            self._calls.fail(number, RemoteError(UNAVAILABLE, "failed without a reason"))

    def _happened(self, event: Event) -> None:
        if isinstance(event.seq, int):
            missing = max(0, event.seq - self._seq - 1) if self._seq else 0
            self._seq = event.seq
            self.gaps += missing
            if missing and self._on_gap is not None:
                self._on_gap(missing)
        if event.event == "shutdown":
            self._leave()
        self._inbox.put(event)

    def _gone(self) -> PeerGone:
        """Return why a call has no answer.

        Our gateway promises that what it has not answered when it closes with 1012 has not been
        carried out (docs/protocol.md, Restart).
        """
        closed = self._connection.close_code
        promised = "repeatable" in (self.hello.get("features") or {})
        return PeerGone(self.place, maybe_executed=not (promised and closed == RESTART))

    def _leave(self) -> None:
        if not self.leaving.done():
            self.leaving.set_result(None)
