"""The supervisor's WebSocket session to one incarnation of the gateway.

A client like any other, so that its health is what clients see. Over it the supervisor
reports the accounts, and answers what the gateway asks of it (DESIGN section 2). One
object per incarnation of the gateway: it is thrown away when that process ends, so nothing
late can reach its successor.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
import structlog

from ipc.errors import CallTimeout, IpcError, RemoteError
from ipc.frames import ErrorShape, Event
from ipc.pulse import Pulse, Verdict
from ipc.wsclient import Client

BEAT = 10.0  # seconds between calls that only show that the gateway answers
VERIFY_WITHIN = 5.0
RETRY = (0.05, 0.15, 0.35, 0.75, 1.5)  # seconds; the last one repeats
LOST_WITHIN = 10.0  # a gateway that lives but cannot be reached for so long is unhealthy

log = structlog.get_logger("session")


class Reporter(Protocol):
    """Where the rows of ``channels.report`` come from."""

    def whole(self) -> dict[str, Any]:
        """Return the params of a complete report, and forget what had changed."""

    def changes(self) -> dict[str, Any] | None:
        """Return the params of a report of what changed since, ``None`` when nothing did."""


class Session:
    """Keeps one session open until cancelled; tells about it through callbacks.

    ``on_up()`` after each successful handshake and report, ``on_lost(reason)`` when an open
    session ends, ``on_fault(reason)`` when the gateway is to be judged unhealthy.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        version: str,
        reporter: Reporter,
        answer: Callable[[str, Any], Awaitable[Any]],
        on_up: Callable[[], None],
        on_lost: Callable[[str], None],
        on_fault: Callable[[str], None],
        silence: float = 30.0,
    ) -> None:
        self._url = url
        self._token = token
        self._version = version
        self._reporter = reporter
        self._answer = answer
        self._on_up = on_up
        self._on_lost = on_lost
        self._on_fault = on_fault
        self._silence = silence
        self._changed = asyncio.Event()
        self._client: Client | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._pulse = Pulse(silence)

    @property
    def connected(self) -> bool:
        """Whether the session is open now."""
        return self._client is not None

    def changed(self) -> None:
        """Say that the reporter has something new; it is sent as soon as the last report is in."""
        self._changed.set()

    async def run(self) -> None:
        """Connect, report and answer until cancelled."""
        loop = asyncio.get_running_loop()
        tries = 0
        lost_at = loop.time()
        while True:
            try:
                client = await self._connect()
            except (IpcError, OSError) as error:
                await self._wait_after(tries, error, loop.time() - lost_at)
                tries += 1
                continue
            tries = 0
            reason = await self._serve(client)
            lost_at = loop.time()
            self._on_lost(reason)

    async def _wait_after(self, tries: int, error: Exception, unreachable: float) -> None:
        final = isinstance(error, RemoteError) and not error.retryable
        if final or unreachable > LOST_WITHIN:
            self._on_fault(f"session refused: {error}")
        log.debug("session not open", error=str(error), tries=tries)
        await asyncio.sleep(RETRY[min(tries, len(RETRY) - 1)])

    async def _connect(self) -> Client:
        return await Client.connect(
            self._url,
            token=self._token,
            client={
                "id": "gateway-client",
                "version": self._version,
                "platform": "linux",
                "mode": "backend",
                "displayName": "supervisor",
            },
            on_event=self._on_event,
            timeout=self._silence,
        )

    async def _serve(self, client: Client) -> str:
        """Work on an open session until it closes; return why it did."""
        self._pulse.seen(asyncio.get_running_loop().time())
        self._client = client
        reason = "ended"
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                await client.call("channels.report", self._reporter.whole())
                self._on_up()
                workers = [tasks.create_task(self._report()), tasks.create_task(self._beat())]
                code, text = await asyncio.shield(client.closed)
                reason = f"closed with {code} {text}".rstrip()
                for task in workers:
                    task.cancel()
        except* IpcError as group:
            reason = str(group.exceptions[0])
        finally:
            self._client = None
            self._tasks = None
            await client.close()
        return reason

    async def _report(self) -> None:
        """Send what changed, one report at a time: a slow gateway gets fewer, larger ones."""
        assert self._client is not None
        while True:
            await self._changed.wait()
            self._changed.clear()
            changes = self._reporter.changes()
            if changes is not None:
                await self._client.call("channels.report", changes)
                self._pulse.seen(asyncio.get_running_loop().time())

    async def _beat(self) -> None:
        """Call now and then; after too long a silence make one verifying call, then give up."""
        assert self._client is not None
        loop = asyncio.get_running_loop()
        pace = min(BEAT, self._silence / 3)
        while True:
            await asyncio.sleep(pace)
            with contextlib.suppress(CallTimeout):
                await self._client.call("last-heartbeat", timeout=pace)
                self._pulse.seen(loop.time())
            if self._pulse.due(loop.time()) is not Verdict.ASK:
                continue
            try:
                await self._client.call("system-presence", timeout=VERIFY_WITHIN)
                self._pulse.seen(loop.time())
            except CallTimeout:
                self._on_fault(f"no answer for {self._silence + VERIFY_WITHIN:g} s")
                return

    def _on_event(self, event: Event) -> None:
        self._pulse.seen(asyncio.get_running_loop().time())
        if event.event == "supervisor.request" and self._tasks is not None:
            self._tasks.create_task(self._answer_one(event))

    async def _answer_one(self, event: Event) -> None:
        request = msgspec.json.decode(event.payload)  # type: ignore[arg-type]  # always there
        result: dict[str, Any] = {"id": request["id"]}
        try:
            result["payload"] = await self._answer(request["method"], request.get("params") or {})
            result["ok"] = True
        except RemoteError as error:
            shape = ErrorShape(error.code, error.message)
            result |= {"ok": False, "error": msgspec.to_builtins(shape)}
        client = self._client
        if client is not None:
            with contextlib.suppress(IpcError):
                await client.call("supervisor.result", result)
