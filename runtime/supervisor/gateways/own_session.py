"""Holds the supervisor's session to our own gateway, and detects when the gateway hangs.

It is a client like any other, so it sees the gateway's health as clients do. Over it the supervisor
reports the accounts and answers requests of the gateway. There is one object per incarnation of
the gateway, discarded when that process ends, so that nothing late can reach the next one.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog

from ipc.errors import CallTimeout, IpcError, RemoteError
from ipc.frames.websocket import ErrorShape, Event, shape_of
from ipc.frames.words import UNAVAILABLE
from ipc.heartbeat import Pulse, Verdict
from ipc.hidden_fields import hide_fields
from ipc.nesting import MALFORMED, decode_json
from ipc.websocket.backoff import RetryPolicy
from ipc.websocket.client import Client
from ipc.websocket.reconnect_loop import Failure
from runtime.supervisor.gateways.interface import Reporter, SessionEvents
from runtime.supervisor.gateways.session_base import SessionBase

BEAT = 10.0  # seconds between calls that only show that the gateway answers
REPORT_WITHIN = 120.0  # generous: the pulse decides whether the gateway lives
RETRY = (0.05, 0.15, 0.35, 0.75, 1.5)  # seconds between two tries; the last one repeats
LOST_WITHIN = 10.0  # a gateway that lives but cannot be reached for so long is unhealthy

log = structlog.get_logger("session")


@hide_fields("params")
class GatewayRequest(msgspec.Struct):
    """A request of the gateway (the payload of ``supervisor.request``); ``by``: on whose behalf."""

    id: int
    method: str
    params: Any = None
    by: str | None = None


class OwnSession(SessionBase):
    """Keeps one session open until cancelled.

    It calls ``events.up()`` after each successful handshake and report, ``lost(reason)`` when an
    open session ends, and ``fault(reason)`` when the gateway counts as unhealthy. ``connected``
    means that the session is open and the gateway has all accounts.
    """

    def __init__(
        self,
        url: str,
        token: str,
        events: SessionEvents,
        *,
        version: str,
        reporter: Reporter,
        answer: Callable[[str, Any, str | None], Awaitable[Any]],
        silence: float = 30.0,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        super().__init__(events, RetryPolicy(RETRY, RETRY[-1]))
        self._url = url
        self._tls = tls
        self._token = token
        self._version = version
        self._reporter = reporter
        self._answer = answer
        self._silence = silence
        self._changed = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._pulse = Pulse(silence)

    def send_changes(self) -> None:
        """Send the changes of the reporter as soon as the last report is answered."""
        self._changed.set()

    def _on_lost(self, reason: str) -> bool:
        self._events.lost(reason)
        return True

    def _on_failed(self, failure: Failure) -> bool:
        """Report a gateway that refuses us or is unreachable for too long; retry in any case."""
        error = failure.error
        reason = str(error)
        if not isinstance(error, (IpcError, OSError)):  # it must not end the supervisor
            reason = f"{type(error).__name__}: {error}"
            log.error("session failed", exc_info=error)
        final = isinstance(error, RemoteError) and not error.retryable
        if final or failure.without > LOST_WITHIN:
            self._events.fault(f"session refused: {reason}")
        log.debug("session not open", error=reason, tries=failure.earlier)
        return True

    async def _connect(self) -> Client:
        return await Client.connect(
            self._url,
            token=self._token,
            client={"version": self._version, "displayName": "supervisor"},
            on_event=self._on_event,
            timeout=self._silence,
            tls=None if self._tls is None else self._tls(),
        )

    async def _serve(self, client: Client) -> str:
        """Serve an open session until it closes; return why it closed.

        Raises ``IpcError`` if the gateway did not accept the first report.
        """
        self._pulse.on_frame(asyncio.get_running_loop().time())
        self._client = client
        worked = False
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._poll(client))
                await self._send(client, self._reporter.whole())
                worked = self.connected = True
                self._events.up()
                tasks.create_task(self._report(client))
                code, text = await asyncio.shield(client.closed)
                raise _Closed(code, text)  # ends the tasks too, whose calls cannot be answered
        except* IpcError as group:
            reason = str(group.exceptions[0])
        finally:
            self.connected = False
            self._client = self._tasks = None
            await client.close()
        if not worked:
            raise IpcError(reason)
        return reason

    async def _report(self, client: Client) -> None:
        """Send pending changes, one report at a time: a slow gateway gets fewer, larger ones."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            changes = self._reporter.changes()
            if changes is not None:
                await self._send(client, changes)
                self._pulse.on_frame(asyncio.get_running_loop().time())

    async def _send(self, client: Client, report: dict[str, Any]) -> None:
        self._reporter.on_answer(
            await client.call("channels.report", report, timeout=REPORT_WITHIN)
        )

    async def _poll(self, client: Client) -> None:
        """Call the gateway regularly; after a silence verify once, then report a fault."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(BEAT, self._silence / 3))
            if await self._is_alive(client, "last-heartbeat", self._pulse.next_due() - loop.time()):
                continue
            if self._pulse.due(loop.time()) is not Verdict.ASK:
                continue  # it said something else meanwhile
            if not await self._is_alive(client, "system-presence", self.VERIFY_WITHIN):
                self._events.fault(f"no answer for {self._silence + self.VERIFY_WITHIN:g} s")
                return

    async def _is_alive(self, client: Client, method: str, timeout: float) -> bool:
        """Return whether the gateway answers; a refusal is an answer."""
        try:
            await client.call(method, timeout=max(timeout, 0.0))
        except CallTimeout:
            return False
        except RemoteError as error:
            log.warning("beat refused", error=str(error))
        self._pulse.on_frame(asyncio.get_running_loop().time())
        return True

    def _on_event(self, event: Event) -> None:
        self._pulse.on_frame(asyncio.get_running_loop().time())
        if event.event == "supervisor.request" and self._tasks is not None:
            self._tasks.create_task(self._answer_one(event))

    async def _answer_one(self, event: Event) -> None:
        try:
            asked = decode_json(event.payload or b"", GatewayRequest)
        except MALFORMED as error:
            log.warning("malformed request of the gateway", error=str(error))
            return
        result: dict[str, Any] = {"id": asked.id, "ok": True}
        try:
            result["payload"] = await self._answer(asked.method, asked.params or {}, asked.by)
        except RemoteError as error:
            result |= {"ok": False, "error": msgspec.to_builtins(shape_of(error))}
        except Exception:  # whatever one request does, the session and the accounts go on
            log.exception("request failed", method=asked.method)
            result |= _refusal(UNAVAILABLE, f"{asked.method} failed; see the supervisor's log")
        await self.try_call("supervisor.result", result)


class _Closed(IpcError):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"closed with {code} {text}".rstrip())


def _refusal(code: str, message: str) -> dict[str, Any]:
    return {"ok": False, "error": msgspec.to_builtins(ErrorShape(code, message))}
