"""Traces through the SDK to a real receiver: ids, sampling, names, and what is wrong."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from runtime.gateway.telemetry.exchange import ExportSettings
from runtime.gateway.telemetry.otlp import TraceExporter, address
from runtime.gateway.telemetry.spans import Span, Trace
from tests.support.collector import Collector, collecting
from workers.testing.ports import free_port
from workers.web.trace_context import TraceContext

ROOT = Span("message", 7, 0, 1_000, 2_000, {"a": "b", "n": 1}, links=[(9, 8)])
INNER = Span("agent", 8, 7, 1_100, 1_900, error="timeout", events=[("first delta", 1_200)])
TRACE = Trace(5, [ROOT, INNER])


async def sent(
    collector: Collector, *traces: Trace, **settings: object
) -> tuple[TraceExporter, tuple[int, str]]:
    given = ExportSettings(endpoint=collector.url, **settings)  # type: ignore[arg-type]
    exporter = await asyncio.to_thread(TraceExporter, given)
    return exporter, await asyncio.to_thread(exporter.export, traces)


async def test_spans_arrive_with_the_ids_and_times_that_they_were_given() -> None:
    async with collecting() as collector:
        _, done = await sent(collector, TRACE, headers={"X-A": "1"}, service_name="bots")
        assert done == (0, "")
        root, inner = collector.of("message")[0], collector.of("agent")[0]
    assert (root.trace, root.id, root.parent) == (f"{5:032x}", f"{7:016x}", "")
    assert (inner.trace, inner.id, inner.parent) == (f"{5:032x}", f"{8:016x}", f"{7:016x}")
    assert (inner.start, inner.end) == (1_100_000_000, 1_900_000_000)
    assert (root.attributes["a"], root.links, inner.events) == ("b", [f"{8:016x}"], ["first delta"])
    assert (root.failed, inner.failed, inner.attributes["error.type"]) == (False, True, "timeout")
    assert root.service == "bots"
    assert collector.headers[0]["x-a"] == "1"


async def test_a_share_is_sampled_and_a_client_decides_about_its_own_trace() -> None:
    mine = [Trace(5, [ROOT], TraceContext(5, 1, sampled=each)) for each in (True, False)]
    async with collecting() as collector:
        _, (unsampled, problem) = await sent(collector, TRACE, *mine, sample_ratio=0.0)
    assert (unsampled, problem) == (2, "")
    assert [(each.name, each.parent) for each in collector.spans] == [("message", f"{1:016x}")]


async def test_the_environment_counts_where_the_settings_say_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-env=yes")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "of-the-environment")
        exporter = await asyncio.to_thread(TraceExporter, ExportSettings())
        assert await asyncio.to_thread(exporter.export, [TRACE]) == (0, "")
        assert collector.spans[0].service == "of-the-environment"
        assert collector.headers[0]["x-env"] == "yes"
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
        assert (await sent(collector, TRACE, service_name="mine"))[1] == (1, "")


async def test_why_nothing_was_sent_is_told_in_a_few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3")
    gone = ExportSettings(endpoint=f"http://127.0.0.1:{free_port()}")
    exporter = await asyncio.to_thread(TraceExporter, gone)
    assert await asyncio.to_thread(exporter.export, [TRACE]) == (0, "Connection refused")
    async with collecting() as collector:
        exporter, _ = await sent(collector)
        collector.refuses = 401
        _, problem = await asyncio.to_thread(exporter.export, [TRACE])
        assert "401" in problem
        assert "\n" not in problem
        collector.refuses = None
        assert await asyncio.to_thread(exporter.export, [TRACE]) == (0, "")
    assert len(collector.spans) == len(TRACE.spans)


@pytest.mark.parametrize(
    ("endpoint", "whole"),
    [
        (None, None),
        ("http://c:4318", "http://c:4318/v1/traces"),
        ("http://c:4318/", "http://c:4318/v1/traces"),
        ("https://c/otlp/v1/traces", "https://c/otlp/v1/traces"),
    ],
)
def test_an_endpoint_without_a_path_means_the_usual_one(
    endpoint: str | None, whole: str | None
) -> None:
    assert address(endpoint) == whole


async def test_what_the_exporter_says_shows_no_header() -> None:
    async with collecting() as collector:
        given = ExportSettings(endpoint=collector.url, headers={"X-Key": " SECRET1"})
        exporter = await asyncio.to_thread(TraceExporter, given)
        _, problem = await asyncio.to_thread(exporter.export, [TRACE])
    assert "header" in problem
    assert "SECRET1" not in problem


@pytest.mark.parametrize("kind", ["endless", "chunked", "long"])
async def test_a_long_answer_is_not_read(kind: str) -> None:
    heads = {
        "endless": b"",
        "chunked": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "long": b"Content-Length: 99999999999\r\n",
    }
    body = {"chunked": b"10000\r\n" + bytes(0x10000) + b"\r\n"}.get(kind, bytes(0x10000))
    written = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n" + heads[kind] + b"\r\n")
            while True:
                writer.write(body)
                await writer.drain()
                written += len(body)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        given = ExportSettings(endpoint=f"http://127.0.0.1:{port}")
        exporter = await asyncio.to_thread(TraceExporter, given)
        assert await asyncio.to_thread(exporter.export, [TRACE]) == (0, "")
        assert await asyncio.to_thread(exporter.export, [TRACE]) == (0, "")
    assert written < 64 << 20  # what the buffers of two sockets hold


async def test_the_connection_is_kept_where_the_answer_is_short() -> None:
    async with collecting() as collector:
        exporter, _ = await sent(collector, TRACE)
        for _ in range(3):
            await asyncio.to_thread(exporter.export, [TRACE])
        assert len(collector.peers) == 1
