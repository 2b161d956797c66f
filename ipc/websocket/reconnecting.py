"""Calls a gateway over one session after another (docs/protocol.md, Clients).

    async with ReconnectingClient("ws://127.0.0.1:18789", token="…") as client:
        print(await client.call("health"))
        async for event in client.events():
            print(event.event)

A call made while the gateway restarts waits for the next session. One that was on its way when
the session ended is made again only when that does no harm; else it fails with
``PeerGone(maybe_executed=True)``. A refusal that trying again cannot mend (a wrong secret, no
common protocol) ends the client; while there is no gateway calls fail at once, and it goes on
trying.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from functools import partial
from typing import Any, Self, Unpack

import msgspec

from ipc import timeouts
from ipc.errors import CallTimeout, ConnectionFailed, FrameError, IpcError, PeerGone, RemoteError
from ipc.frames.cursors import Cursors
from ipc.frames.websocket import Event
from ipc.frames.words import CHANNEL_EVENTS
from ipc.websocket.backoff import asked_wait, is_starting
from ipc.websocket.client import Client
from ipc.websocket.connect import ConnectOptions
from ipc.websocket.inbox import Inbox, OnEvent
from ipc.websocket.sessions import Sessions

# Events that the client itself makes; none of them is ever on the wire.
OPENED = "client.opened"  # the payload is the hello
LOST = "client.lost"  # {reason}
_NUMBERED = frozenset({"channel.message", "channel.event"})  # together, for each account
GAP = "client.gap"  # {missing} by seq, or {account, after, next} by cursor

REPEATABLE = "repeatable-methods"  # the capability that makes the hello name them


class Subscription(msgspec.Struct, frozen=True):
    """The selection of our own events, as in ``events.subscribe``; ``None`` means all."""

    accounts: Sequence[str] | None = None
    events: Sequence[str] | None = None


class ReconnectingClient:
    """A client that stays over restarts. Made ready by ``open`` or ``async with``.

    ``subscribe`` asks for our own events and, after a lost session, for those missed meanwhile:
    from the end of ``open`` on none is missing unless a gap is reported. The capability
    ``channel-events`` means the same here: by itself it would let new events come first.
    ``safe`` names methods that may be called twice, beside those that the gateway names.
    ``patience``: the seconds without a session after which the client ends; ``None``: never.

    ``hello`` is the newest session's, ``closed`` is done when the client has ended (``ended``
    says why, when it was not ``close``), ``repeated`` counts the calls that were made again,
    ``duplicates`` the messages that came twice and were dropped.
    """

    def __init__(
        self,
        url: str = "ws://localhost/",
        *,
        on_event: OnEvent | None = None,
        subscribe: Subscription | None = None,
        safe: Collection[str] = (),
        patience: float | None = None,
        **options: Unpack[ConnectOptions],
    ) -> None:
        self.hello: dict[str, Any] = {}
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.place = str(options.get("unix") or url)
        self.repeated = self.duplicates = 0
        self._url = url
        self._options = options
        caps = list(options.get("caps", ()))
        if CHANNEL_EVENTS in caps:
            caps.remove(CHANNEL_EVENTS)
            subscribe = subscribe or Subscription()
        self._options["caps"] = [*caps, REPEATABLE]
        self._subscription = subscribe
        self._tried = self._newest = 0  # sessions, by number
        self._always = self._safe = frozenset(safe)
        self._with_key: frozenset[str] = frozenset()
        self._cursors = Cursors()
        self._inbox = Inbox(self.place, on_event)
        self._sessions = Sessions(
            self.place, self._connect, self._on_hello, self._on_lost, self._end, patience
        )

    async def open(self) -> None:
        """Open the first session.

        Raises ``ConnectionFailed`` or ``RemoteError`` as soon as one try fails in a way that no
        restart explains, and nothing stays behind then.
        """
        await self._sessions.open()

    async def close(self) -> None:
        """End everything; pending calls fail. Closing twice does nothing."""
        await self._sessions.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def closed(self) -> asyncio.Future[None]:
        """Done when the client has ended; one of several that wait may stop."""
        return asyncio.shield(self._closed)

    @property
    def protocol(self) -> int:
        """The version that the newest session speaks."""
        return int(self.hello.get("protocol", 0))

    @property
    def connected(self) -> bool:
        """True if a call would be sent at once."""
        return self._sessions.connected

    @property
    def sessions(self) -> int:
        """The number of sessions so far."""
        return self._sessions.opened

    @property
    def ended(self) -> IpcError | None:
        """The error that ended the client, if one did."""
        return self._sessions.ended

    async def opened(self) -> None:
        """Wait until there is a session, without a time limit; raises what ended the client."""
        await self._sessions.next()

    def events(self) -> AsyncIterator[Event]:
        """Yield the events of all sessions, and the client's own, until the client ends.

        Only without ``on_event``. For one reader.
        """
        return self._inbox.events()

    async def call(
        self, method: str, params: Any = None, *, timeout: float = 30.0, safe: bool = False
    ) -> Any:
        """Send a request, repeat it if that is safe, and return the payload of its answer.

        ``timeout``, in seconds, covers waiting and calling again. ``safe``: this call may be
        executed twice. Raises ``RemoteError``,
        ``CallTimeout``, ``ConnectionFailed`` when there is no gateway, or ``PeerGone``.
        """
        try:
            async with timeouts.timeout(timeout):
                while True:
                    client = await self._sessions.current()
                    try:
                        return await client.call(method, params, timeout=timeout)
                    except PeerGone as gone:
                        if gone.maybe_executed and not (safe or self._may_repeat(method, params)):
                            raise
                        self.repeated += gone.maybe_executed
                    except RemoteError as error:
                        if not is_starting(error):
                            raise
                        if client.usable:
                            await asyncio.sleep(asked_wait(error))
        except TimeoutError:
            if self.connected:
                raise CallTimeout(method, timeout) from None
            reason = f"no session within {timeout:g} s"
            raise ConnectionFailed(self.place, reason, retryable=True) from None

    def _may_repeat(self, method: str, params: Any) -> bool:
        keyed = isinstance(params, dict) and bool(params.get("idempotencyKey"))
        return method in self._always or (keyed and method in self._with_key)

    async def _connect(self) -> Client:
        self._tried += 1
        on_event = partial(self._on_event, self._tried)
        client = await Client.connect(
            self._url, on_event=on_event, on_gap=self._on_missed, **self._options
        )
        self._newest = self._tried
        self.hello = client.hello
        self._publish(OPENED, self.hello)
        return client

    async def _on_hello(self, client: Client) -> None:
        """Read the repeatable methods of the hello, and subscribe to new and missed events."""
        features = client.hello.get("features") or {}
        repeatable = features.get("repeatable") or {}
        self._always = self._safe | frozenset(repeatable.get("always", ()))
        self._with_key = frozenset(repeatable.get("withKey", ()))
        wanted = self._subscription
        if wanted is None or "events.subscribe" not in features.get("methods", ()):
            return
        asked = self._cursors.params()
        params: dict[str, Any] = {"cursors": asked}
        if wanted.accounts is not None:
            params["accounts"] = list(wanted.accounts)
        if wanted.events is not None:
            params["events"] = list(wanted.events)
            if not _NUMBERED.isdisjoint(wanted.events):
                # They are numbered together: without the other one there would be gaps.
                known = _NUMBERED.intersection(features.get("events", ()))
                params["events"] = sorted({*wanted.events, *known})
        answer = await client.call("events.subscribe", params)
        if isinstance(answer, dict):
            self._cursors.on_subscribed(answer.get("cursors"), asked)

    def _on_lost(self, reason: str) -> None:
        self._publish(LOST, {"reason": reason})

    def _end(self) -> None:
        self._closed.set_result(None)
        self._inbox.end()

    def _on_event(self, session: int, event: Event) -> None:
        numbered = event.event in _NUMBERED
        if not isinstance(event.payload, msgspec.Raw):
            self._inbox.put(event)
        elif numbered and session < self._newest and self._subscription is not None:
            pass  # the next session's subscription brings it, in its order
        elif not numbered or self._is_new(event.payload):
            if event.event == "channel.gap":
                self._cursors.on_gap(event.payload)
            wanted = None if self._subscription is None else self._subscription.events
            if not numbered or wanted is None or event.event in wanted:
                self._inbox.put(event)

    def _is_new(self, payload: msgspec.Raw) -> bool:
        """Record the cursor of a message; report a gap before it. Return false for a duplicate."""
        try:
            fresh, gap = self._cursors.apply(payload)
        except FrameError:
            return True  # a stranger's event of the same name
        if gap is not None:
            self._publish(GAP, gap)
        self.duplicates += not fresh
        return fresh

    def _on_missed(self, missing: int) -> None:
        if self.protocol >= 4:  # Protocol 3 counts over all clients
            self._publish(GAP, {"missing": missing})

    def _publish(self, name: str, payload: dict[str, Any]) -> None:
        self._inbox.put(Event(name, msgspec.Raw(msgspec.json.encode(payload))))
