"""Serves a fake platform over HTTP and WebSocket, with the faults common to all."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from aiohttp import web

from workers.testing.fake import Fake, FakePlace
from workers.testing.faults import Fault, FaultKind

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
STATUS = {"rate_limited": 429, "unauthorized": 401, "conflict": 409}


class HttpFake(Fake):
    """A server on this host; ``url`` is its address. A subclass names its routes.

    Override ``fields`` (of the account), ``routes``, ``say`` and ``heard``; ``refusal`` where the
    platform has its own words for a limit or wrong credentials, ``concerns`` where a fault meets
    some requests only. ``say`` delivers a text ``copies()`` times. What a handler holds open, a
    poll or a WebSocket, an outage cuts; what it pushes there has to wait while it is ``frozen``.
    """

    faults: frozenset[FaultKind] = frozenset(
        {"rate_limited", "unauthorized", "outage", "half_open", "slow", "unanswered", "duplicate"}
    )

    def __init__(self) -> None:
        self.url = ""
        self.turned_away = 0
        self._fault: Fault | None = None
        self._left = 0  # how often it still happens
        self._healed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._open: dict[int, web.Request] = {}  # a request has no hash

    def fields(self) -> Mapping[str, Any]:
        """Return the account's fields; ``url`` is known by now."""
        raise NotImplementedError

    def routes(self) -> Iterable[web.RouteDef]:
        """Return what is served: ``web.post("/send", self.on_send)``."""
        raise NotImplementedError

    def refusal(self, fault: Fault, request: web.Request) -> web.StreamResponse:
        """Return the answer to a request that is refused: 429, 401 or 409."""
        after = {"Retry-After": f"{fault.seconds:g}"} if fault.kind == "rate_limited" else {}
        body = {"error": fault.kind, "retry_after": fault.seconds}
        return web.json_response(body, status=STATUS[fault.kind], headers=after)

    def concerns(self, fault: Fault, request: web.Request) -> bool:
        """Return whether the fault meets this request."""
        return True

    async def start(self, place: FakePlace) -> Mapping[str, Any]:
        """Serve on a free port."""
        app = web.Application(middlewares=[self._inject_fault], client_max_size=64 << 20)
        app.add_routes(self.routes())
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self.fields()

    async def close(self) -> None:
        """Cut what is connected, and serve no more."""
        self._healed.set()
        self.cut()
        if self._runner is not None:
            await self._runner.cleanup()

    async def fail(self, fault: Fault) -> None:
        """Begin a fault of the requests from now on; an outage also ends those under way."""
        self._fault, self._left = fault, fault.times
        self._healed.clear()
        if fault.kind == "outage":
            self.turned_away = 0
            self.cut()

    async def heal(self) -> None:
        """Answer everything again."""
        self._fault = None
        self._healed.set()

    def cut(self) -> None:
        """Cut every connection that waits for an answer, and every WebSocket."""
        for request in list(self._open.values()):
            abort(request)

    @property
    def frozen(self) -> bool:
        """Whether nothing may move on the connections: what is pushed has to wait."""
        return self._fault is not None and self._fault.kind == "half_open"

    def copies(self) -> int:
        """Return how often a message is to be delivered, under one id: 2 is a duplicate."""
        fault = self._fault
        if fault is None or fault.kind != "duplicate":
            return 1
        self._count(fault)
        return 2

    @web.middleware
    async def _inject_fault(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._open[id(request)] = request
        try:
            fault = self._fault
            if fault is None or fault.kind == "duplicate" or not self.concerns(fault, request):
                return await handler(request)
            self._count(fault)
            return await self._answer(fault, request, handler)
        finally:
            self._open.pop(id(request), None)

    def _count(self, fault: Fault) -> None:
        self.turned_away += fault.kind not in ("slow", "duplicate", "unanswered")
        if fault.times:
            self._left -= 1
            if not self._left:
                self._fault = None
                self._healed.set()

    async def _answer(
        self, fault: Fault, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        match fault.kind:
            case "outage":
                return abort(request)
            case "half_open":
                await self._healed.wait()
                return abort(request)
            case "slow":
                await asyncio.sleep(fault.seconds)
            case "unanswered":
                await handler(request)
                return abort(request)
            case "rate_limited" | "unauthorized" | "conflict":
                return self.refusal(fault, request)
        return await handler(request)


def abort(request: web.Request) -> web.StreamResponse:
    """Cut the connection of a request."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def answered_in_vain(
    request: web.Request, answer: web.Response, pid: int
) -> web.StreamResponse:
    """Answer a request, and kill a process before it can act on the answer."""
    os.kill(pid, signal.SIGSTOP)  # so it is certain that the answer comes too late
    await answer.prepare(request)
    await answer.write_eof()
    os.kill(pid, signal.SIGKILL)
    return answer
