"""Serves Slack's Web API and Socket Mode for tests, with faults on demand.

Events are sent as Slack does it: to one of the app's connections, and again when they were not
acknowledged in time: at once, after a minute, and after five. It is driven by slack-sdk too.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import Any

from aiohttp import WSMsgType, web

from ipc import timeouts
from ipc.nesting import MALFORMED, decode_json
from workers.testing.fakes.slack_apps import (
    Clock,
    FakeApp,
    Json,
    MethodFault,
    RefusedMethod,
    SentEnvelope,
)
from workers.testing.fakes.slack_methods import SlackMethods
from workers.testing.http_fake import Handler, abort

ACK_SECONDS = 3.0
RESENDS = (0.0, 60.0, 300.0)  # seconds after what was not acknowledged


class FakeConnection:
    """One connection of an app. ``frozen``: it is open, and nothing comes out of it."""

    def __init__(
        self, app: FakeApp, socket: web.WebSocketResponse, abort: Callable[[], None]
    ) -> None:
        self.app = app
        self.socket = socket
        self.abort = abort
        self.frozen = False
        self.leaving = False
        self.pongs: list[bytes] = []

    @property
    def usable(self) -> bool:
        """Whether events may go over it."""
        return not self.socket.closed and not self.leaving


class FakeSlack:
    """The server. ``root`` is its address, for ``apiRoot``; ``down`` closes every connection.

    ``ack_seconds`` and ``resends`` are Slack's; tests make them shorter. ``in_order``: an event
    waits until the one before it is acknowledged or given up, which Slack does not do.
    """

    def __init__(
        self, ack_seconds: float, resends: tuple[float, ...], *, in_order: bool = False
    ) -> None:
        self.down = False
        self.turned_away = 0  # calls and connections, while it was down
        self.connections: list[FakeConnection] = []
        self._ack_seconds = ack_seconds
        self._resends = resends
        self._turn: asyncio.Lock | nullcontext[None] = asyncio.Lock() if in_order else nullcontext()
        self._clock = Clock()
        self._methods = SlackMethods(self._clock)
        self._apps: dict[str, FakeApp] = {}
        self._changed = asyncio.Condition()
        self._numbers = itertools.count(1)
        self._deliveries: set[asyncio.Task[None]] = set()
        self._payloads: dict[str, tuple[str, Json]] = {}
        self.channel = self._methods.channel
        self.files = self._methods.files
        self.people = self._methods.people

    @property
    def root(self) -> str:
        """The address of the server."""
        return self.files.root

    def app(self, token: str) -> FakeApp:
        """Return the app of a token: ``xoxb-7`` and ``xapp-7`` are both of app 7."""
        number = token.rpartition("-")[2]
        return self._apps.setdefault(number, FakeApp(number))

    async def say(self, token: str, text: str = "", channel: str = "D1", **fields: Any) -> Json:
        """Write as a person; return the event. ``fields`` are those of the Events API.

        In a channel, a text that names the bot comes as ``app_mention`` too.
        """
        app, ts = self.app(token), self._clock.ts()
        event: Json = {
            "type": "message",
            "channel": channel,
            "channel_type": {"D": "im", "G": "mpim"}.get(channel[0], "channel"),
            "user": "U1",
            "text": text,
            "ts": ts,
            "event_ts": ts,
            "team": "T1",
        }
        event |= fields
        if "subtype" not in fields:
            message = {"type": "message", "user": "U1", "text": text, "ts": ts, **fields}
            self.channel(channel).messages.append(message)
        if channel[0] == "C" and f"<@{app.user_id}>" in text:
            mention = {key: value for key, value in event.items() if key != "channel_type"}
            await self.event(token, mention | {"type": "app_mention"})
        await self.event(token, event)
        return event

    async def event(self, token: str, event: Json) -> str:
        """Send an event of any kind; return its id."""
        app, name = self.app(token), f"Ev{next(self._numbers):08d}"
        payload = {
            "token": "obsolete",
            "team_id": "T1",
            "api_app_id": f"A{app.number}",
            "event": event,
            "type": "event_callback",
            "event_id": name,
            "event_time": int(time.time()),
        }
        self._start(self._deliver(app, name, "events_api", payload, self._resends))
        return name

    async def press(self, token: str, channel: str, ts: str, value: str) -> str:
        """Press a button of a message as a person; Slack sends that once."""
        app, name = self.app(token), f"Press{next(self._numbers)}"
        payload = {
            "type": "block_actions",
            "user": {"id": "U1", "username": "ada", "name": "ada", "team_id": "T1"},
            "api_app_id": f"A{app.number}",
            "container": {"type": "message", "message_ts": ts, "channel_id": channel},
            "channel": {"id": channel, "name": "room"},
            "actions": [
                {
                    "type": "button",
                    "action_id": "0.0",
                    "block_id": "b",
                    "value": value,
                    "action_ts": self._clock.ts(),
                }
            ],
        }
        self._start(self._deliver(app, name, "interactive", payload, ()))
        return name

    async def disconnect(self, token: str, reason: str = "warning", *, close: bool = False) -> None:
        """Announce to every connection of an app that it will be closed; ``close`` does it."""
        frame = {"type": "disconnect", "reason": reason, "debug_info": {"host": "fake"}}
        for connection in self.of(token):
            connection.leaving = True
            await connection.socket.send_json(frame)
            if close:
                await connection.socket.close()
        await self.notify()

    async def end_connections(self, token: str) -> None:
        """Close the connections of an app without a word."""
        for connection in self.of(token):
            connection.abort()

    def of(self, token: str) -> list[FakeConnection]:
        """Return the open connections of an app, the oldest first."""
        app = self.app(token)
        return [each for each in self.connections if each.app is app and not each.socket.closed]

    async def until(self, seen: Callable[[], Any], seconds: float = 10.0) -> None:
        """Wait until ``seen()`` is true; looked at after every call and every frame.

        Raises ``TimeoutError``.
        """
        async with timeouts.timeout(seconds), self._changed:
            await self._changed.wait_for(seen)

    async def notify(self) -> None:
        """Wake all waiters, which then check their conditions."""
        async with self._changed:
            self._changed.notify_all()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a call of the Web API."""
        method = request.match_info["method"]
        params = await _params_of(request)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        token = token or str(params.get("token", ""))
        app = self.app(token)
        app.calls[method] += 1
        try:
            return await self._answer(request, app, token, params)
        except RefusedMethod as refusal:
            return web.json_response(refusal.body, status=refusal.status, headers=refusal.headers)
        finally:
            await self.notify()

    async def _answer(
        self, request: web.Request, app: FakeApp, token: str, params: Json
    ) -> web.StreamResponse:
        method = request.match_info["method"]
        fault = app.fault_for(method) or MethodFault()

        def refused() -> RefusedMethod | None:
            return RefusedMethod(app.error) if app.error else None

        if (answer := await fault.inject(request, refused)) is not None:
            return answer
        if method == "apps.connections.open":
            if not token.startswith("xapp-"):
                raise RefusedMethod("not_allowed_token_type")
            found: Json = {"url": f"{self.root.replace('http', 'ws', 1)}/link?app={app.number}"}
        elif not token.startswith("xoxb-"):
            raise RefusedMethod("invalid_auth" if token else "not_authed")
        else:
            found = self._methods.run(app, method, params)
        if fault.drop == "after":
            return abort(request)
        return web.json_response({"ok": True, **found}, headers={"X-OAuth-Scopes": app.scopes})

    def unless_down(self, handler: Handler) -> Handler:
        """Return a handler that closes the connection while the server is down."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            if not self.down:
                return await handler(request)
            self.turned_away += 1
            return abort(request)

        return guarded

    async def link(self, request: web.Request) -> web.StreamResponse:
        """Hold a connection of Socket Mode."""
        app = self.app(f"xapp-{request.query['app']}")
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        if not app.socket_mode:
            await socket.send_json({"type": "disconnect", "reason": "link_disabled"})
            await socket.close()
            return socket
        assert request.transport is not None
        connection = FakeConnection(app, socket, request.transport.abort)
        self.connections.append(connection)
        await socket.send_json(
            {
                "type": "hello",
                "num_connections": len(self.of(f"xapp-{app.number}")),
                "debug_info": {"host": "fake", "approximate_connection_time": 18060},
                "connection_info": {"app_id": f"A{app.number}"},
            }
        )
        await self.notify()
        try:
            async for message in socket:
                await self._on_frame(connection, message.type, message.data)
        finally:
            self.connections.remove(connection)
            await self.notify()
        return socket

    async def _on_frame(self, connection: FakeConnection, kind: WSMsgType, data: Any) -> None:
        if connection.frozen:
            return
        if kind == WSMsgType.PING:
            await connection.socket.pong(data)
        elif kind == WSMsgType.PONG:
            connection.pongs.append(bytes(data))
        elif kind == WSMsgType.TEXT:
            try:
                name = decode_json(data)["envelope_id"]
            except (*MALFORMED, KeyError, TypeError):
                return
            for envelope in connection.app.envelopes:
                if envelope.id == name and envelope.acknowledged is None:
                    envelope.acknowledged = time.monotonic()
        await self.notify()

    async def _deliver(
        self, app: FakeApp, event_id: str, kind: str, payload: Json, resends: tuple[float, ...]
    ) -> None:
        """Send an event until it is acknowledged, as often as Slack does."""
        async with self._turn:
            for retry, pause in enumerate((0.0, *resends)):
                await asyncio.sleep(pause)
                if event_id in app.acknowledged:
                    return
                over = await self._send(app, event_id, kind, payload, retry)
                if over is not None and await self._acknowledged(app, event_id, over):
                    return
        app.undelivered += event_id not in app.acknowledged
        await self.notify()

    async def _acknowledged(self, app: FakeApp, event_id: str, over: FakeConnection) -> bool:
        """Return whether an event is acknowledged in time, and before its connection ends."""
        with suppress(TimeoutError):
            await self.until(
                lambda: event_id in app.acknowledged or over not in self.connections,
                self._ack_seconds,
            )
        return event_id in app.acknowledged

    async def _send(
        self, app: FakeApp, event_id: str, kind: str, payload: Json, retry: int
    ) -> FakeConnection | None:
        """Send an envelope over the newest connection; return that, if there is one."""
        usable = [each for each in self.connections if each.app is app and each.usable]
        if not usable:
            return None
        envelope = SentEnvelope(f"{event_id}-{retry}", retry, event_id)
        frame: Json = {
            "envelope_id": envelope.id,
            "payload": payload,
            "type": kind,
            "accepts_response_payload": False,
        }
        if kind == "events_api":
            frame |= {"retry_attempt": retry, "retry_reason": "timeout" if retry else ""}
        app.envelopes.append(envelope)
        self._payloads[event_id] = kind, payload
        try:
            if not usable[-1].frozen:
                await usable[-1].socket.send_json(frame)
        except ConnectionError:
            return None
        await self.notify()
        return usable[-1]

    async def duplicate(self, token: str) -> None:
        """Send the last event once more, though it was acknowledged."""
        app = self.app(token)
        last = app.envelopes[-1]
        kind, payload = self._payloads[last.event_id]
        await self._send(app, last.event_id, kind, payload, last.retry + 1)

    def _start(self, delivery: Any) -> None:
        task = asyncio.create_task(delivery)
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    async def close(self) -> None:
        """End what is under way."""
        for task in self._deliveries:
            task.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)
        for connection in list(self.connections):
            await connection.socket.close()


@asynccontextmanager
async def fake_slack(
    port: int = 0,
    ack_seconds: float = ACK_SECONDS,
    resends: tuple[float, ...] = RESENDS,
    *,
    in_order: bool = False,
) -> AsyncIterator[FakeSlack]:
    """Serve on this host; with ``port`` 0 on a free one."""
    fake = FakeSlack(ack_seconds, resends, in_order=in_order)
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/api/{method}", fake.unless_down(fake.handle))
    app.router.add_get("/link", fake.unless_down(fake.link))
    app.router.add_post("/upload/v1/{ticket}", fake.unless_down(fake.files.upload))
    download = fake.unless_down(fake.files.download)
    app.router.add_get("/files-pri/{file}/download/{name}", download)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        fake.files.root = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield fake
    finally:
        await fake.close()
        await runner.cleanup()


async def _params_of(request: web.Request) -> Json:
    """Return the parameters of a call: of the address, of JSON, or of a form."""
    params: Json = dict(request.query)
    if request.content_type == "application/json":
        params |= decode_json(await request.read() or b"{}")
    elif request.can_read_body:
        params.update(await request.post())
    return params
