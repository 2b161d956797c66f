"""Answers ``POST /hooks/…``: authenticates and checks requests, and passes them to the hooks."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import msgspec
from aiohttp import web

from ipc import timeouts
from ipc.errors import RemoteError
from ipc.frames.words import UNAVAILABLE
from runtime.gateway.cron.timers import Timers
from runtime.gateway.hooks.gate import HookRefused
from runtime.gateway.hooks.hooks import Hooks
from runtime.gateway.hooks.mappings import HookRequest
from runtime.gateway.hooks.requests import BadHook, HookAgent, HookWake, read_body
from runtime.gateway.http.ingress_bodies import send_continue
from runtime.gateway.http.ingress_heads import BadHead
from runtime.gateway.journal.runs import Run
from runtime.gateway.parts import GatewayParts
from workers.web.trace_context import traceparent

BODY_SECONDS = 10.0  # in which the body of a request must have come
WAIT_SECONDS = 600.0  # for which a request waits for the end of its turn, at most
RESTARTING = "the gateway is restarting: ask again with the same Idempotency-Key"
SECURE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class HooksEndpoint:
    """The hooks of one gateway, over HTTP."""

    def __init__(self, parts: GatewayParts) -> None:
        self._parts = parts
        self._hooks: Hooks = parts.hooks
        self._timers: Timers = parts.timers
        self._loop = asyncio.get_running_loop()

    def serves(self, path: str) -> bool:
        """Return whether hooks are enabled and a path lies below theirs."""
        return self._hooks.hook_path(path) is not None

    async def answer(self, request: web.BaseRequest, address: str) -> web.StreamResponse:
        """Answer a request of the client at ``address``."""
        hooks, gate = self._hooks, self._hooks.gate
        place = hooks.hook_path(request.path)
        assert gate is not None
        assert place is not None
        try:
            query = request.rel_url.query
            gate.check(request.method, request.headers, query.keys(), address, self._loop.time())
            body = read_body(await self._body(request))
            headers = {name.lower(): value for name, value in request.headers.items()}
            given = HookRequest(place, body, headers, dict(query))
            key = headers.get("idempotency-key") or headers.get("x-openclaw-idempotency-key")
            answer = await self._execute(given, key)
        except HookRefused as refused:
            outcome = "throttled" if refused.status == 429 else "unauthorized"
            hooks.counts[outcome] += 1
            return _respond(refused.status, refused.body(), "text/plain", refused.headers)
        except BadHook as bad:
            hooks.counts["refused"] += 1
            return _respond(bad.status, bad.body())
        except RemoteError as error:
            hooks.counts["failed"] += 1
            wait = max(1, math.ceil((error.retry_after_ms or 1000) / 1000))
            text = msgspec.json.encode({"ok": False, "error": error.message})
            return _respond(503, text, headers={"Retry-After": str(wait)})
        if answer is None:
            hooks.counts["refused"] += 1
            return _respond(404, b"Not Found", "text/plain")
        hooks.counts["accepted"] += 1
        return _respond(200, msgspec.json.encode(answer))

    async def _body(self, request: web.BaseRequest) -> bytes:
        """Return the body; raises ``BadHook`` if it is too large or does not arrive in time."""
        most = self._hooks.config.max_body_bytes
        if (request.content_length or 0) > most:
            raise BadHook(413, "payload too large")
        data = bytearray()
        try:
            await send_continue(request)
            async with timeouts.timeout(BODY_SECONDS):
                async for chunk in request.content.iter_any():
                    data += chunk
                    if len(data) > most:
                        raise BadHook(413, "payload too large")
        except TimeoutError:
            raise BadHook(408, "the body did not come") from None
        except BadHead as error:
            raise BadHook(error.status, str(error)) from None
        except (web.RequestPayloadError, ConnectionError):
            raise BadHook(400, "the body is malformed") from None
        return bytes(data)

    async def _execute(self, given: HookRequest, key: str | None) -> dict[str, Any] | None:
        asked = self._hooks.action_of(given, key)
        if asked is None:
            return None
        await self._timers.ready()
        await self._parts.asking.journal()
        if isinstance(asked, HookWake):
            outcome = await self._hooks.wake(asked)
            return {"ok": True, "mode": asked.mode, "eventOutcome": outcome}
        trace = traceparent(given.headers)
        key = asked.key or key or None
        run = await self._hooks.begin(asked, given.path, key, trace)
        answer: dict[str, Any] = {"ok": True, "runId": run.id}
        if idle := self._parts.agents.ignored_fields(run.agent, run.request.fields):
            answer["ignored"] = idle
        return answer | await self._completion(asked, run, key)

    async def _completion(self, asked: HookAgent, run: Run, key: str | None) -> dict[str, Any]:
        if not asked.wait:
            return {}
        seconds = min(asked.timeout or WAIT_SECONDS, WAIT_SECONDS)
        try:
            ended = await self._parts.runs.wait(run.id, seconds)
        except asyncio.CancelledError:  # also if the gateway ends: the next one continues the run
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            if key is None:
                return {}
            raise RemoteError(UNAVAILABLE, RESTARTING, retryable=True) from None
        return {} if ended is None or ended.is_open else {"completion": completion_of(ended)}


def completion_of(run: Run) -> dict[str, Any]:
    """Return the result of a turn, without its answer."""
    said = bool(run.answer.strip())
    return {
        "status": "ok" if run.state == "final" else "error",
        "replyDisposition": "visible" if said and run.state == "final" else "empty",
        "delivered": said and run.state == "final" and run.reply is not None,
        "deliveryAttempted": run.reply is not None,
    }


def _respond(
    status: int,
    body: bytes,
    kind: str = "application/json",
    headers: dict[str, str] | None = None,
) -> web.Response:
    more = {"Content-Type": f"{kind}; charset=utf-8"} | SECURE | (headers or {})
    return web.Response(status=status, body=body, headers=more)
