"""A collector of OpenTelemetry: takes traces over OTLP/HTTP, and keeps their spans."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from tests.support.until import PATIENCE


class Received(msgspec.Struct):
    """One span as it came: ids as hexadecimal text, times in nanoseconds."""

    trace: str
    id: str
    parent: str
    name: str
    start: int
    end: int
    attributes: dict[str, Any]
    events: list[str]
    links: list[str]
    failed: bool
    service: str


class Collector:
    """Received spans. It answers with the status ``refuses``, or not while it ``hangs``."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Received] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.peers: set[tuple[str, int]] = set()  # the connections that requests came on
        self.refuses: int | None = None  # the status of every answer
        self.hangs = False
        self.asked = 0
        self._came = asyncio.Condition()
        self._ends = asyncio.Event()

    def of(self, name: str) -> list[Received]:
        """Return the spans of a name."""
        return [each for each in self.spans if each.name == name]

    async def until_asked(self, count: int) -> None:
        """Wait until so many requests have come, whatever their answers."""
        async with asyncio.timeout(PATIENCE), self._came:
            await self._came.wait_for(lambda: self.asked >= count)

    async def until(self, count: int, name: str) -> list[Received]:
        """Return the spans of a name once there are so many."""
        async with asyncio.timeout(PATIENCE), self._came:
            await self._came.wait_for(lambda: len(self.of(name)) >= count)
        return self.of(name)

    async def take(self, request: web.Request) -> web.Response:
        """Answer one request of an exporter."""
        body = await request.read()
        async with self._came:
            self.asked += 1
            self._came.notify_all()
        if self.hangs:
            await self._ends.wait()
        if self.refuses is not None:
            return web.Response(status=self.refuses)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.bodies.append(body)
        assert request.transport is not None
        self.peers.add(request.transport.get_extra_info("peername"))
        found = trace_service_pb2.ExportTraceServiceRequest.FromString(body)
        async with self._came:
            self.spans += spans_of(found)
            self._came.notify_all()
        answer = trace_service_pb2.ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")

    def end(self) -> None:
        """Let what hangs go."""
        self._ends.set()


def spans_of(request: Any) -> list[Received]:
    """Return the spans of one request."""
    return [
        Received(
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.name,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            values(span.attributes),
            [each.name for each in span.events],
            [each.span_id.hex() for each in span.links],
            span.status.code == 2,
            str(values(group.resource.attributes)["service.name"]),
        )
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def values(attributes: Any) -> dict[str, Any]:
    """Return attributes by their names."""
    return {each.key: next(iter(MessageToDict(each.value).values())) for each in attributes}


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Run a collector on a port of its own."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    async with TestServer(app) as server:
        collector.url = str(server.make_url("/")).rstrip("/")
        try:
            yield collector
        finally:
            collector.end()
