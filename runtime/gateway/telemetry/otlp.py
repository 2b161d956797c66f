"""Sends traces with the SDK of OpenTelemetry. It blocks, and is imported by the exporter alone.

What the SDK and its exporter read from the environment (``OTEL_*``) counts wherever the
configuration says nothing: the endpoint, its headers, certificates, time and compression, the
sampler, the name of the service and the limits of spans.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import urlsplit

import requests
from opentelemetry import trace as api
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace import TraceFlags as Flags

from ipc.secret_patterns import without_secrets
from runtime.gateway.telemetry.exchange import ExportSettings
from runtime.gateway.telemetry.spans import SEND, Span, Trace

TRACES = "/v1/traces"  # of an endpoint that names no path
NANOS = 1_000_000  # in a millisecond
KINDS = {SEND: SpanKind.PRODUCER}  # of first spans; the others answer what has come in
SAMPLED = Flags(Flags.SAMPLED)
SERVICE_NAME_VARIABLES = ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES")
LONGEST = 200  # characters of what the exporter says
ANSWER_BYTES = 4096  # of an answer's body that are read; a collector has no more to say
_ERRNO = re.compile(r"\[Errno -?\d+\] ([^\"')]+)")


class _Ids(IdGenerator):
    """Generates the given ids for spans."""

    trace = span = 1

    def generate_trace_id(self) -> int:
        """Return the id of the next trace."""
        return self.trace

    def generate_span_id(self) -> int:
        """Return the id of the next span."""
        return self.span


class _Ended(SpanProcessor):
    """Collects ended spans."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Add a span."""
        self.spans.append(span)


class _Words(logging.Handler):
    """Collects the SDK's log records: only they contain the reason of a failure to send."""

    def __init__(self, hidden: Collection[str]) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._hidden = hidden

    def emit(self, record: logging.LogRecord) -> None:
        """Add the first line of a record."""
        self.lines.append(record.getMessage().partition("\n")[0])

    def why(self) -> str:
        """Return why nothing was sent, in a few words."""
        for line in self.lines:
            if found := _ERRNO.search(line):
                return found[1]
        last = self.lines[-1].rstrip(": ") if self.lines else "it does not take them"
        for secret in self._hidden:
            last = last.replace(secret, "…")
        return without_secrets(last, "…")[:LONGEST]


def _session() -> requests.Session:
    """Return an HTTP session that does not read long answers.

    The exporter would read a body without an end until its memory is used up, and looks at the
    status alone.
    """
    session = requests.Session()
    session.hooks["response"].append(_close_long_body)
    return session


def _close_long_body(answer: Any, **_: Any) -> None:
    """Close the connection of an answer whose body is long or has no length, without reading it.

    That of a short one is read by the session, and its connection used again.
    """
    length = answer.headers.get("Content-Length", "")
    chunked = "Transfer-Encoding" in answer.headers  # then the length counts for nothing
    if chunked or not length.isdecimal() or int(length) > ANSWER_BYTES:
        answer.close()
        answer._content, answer._content_consumed = b"", True  # there is no other way


class TraceExporter:
    """Sends traces to the collector that the settings, or the environment, name."""

    def __init__(self, settings: ExportSettings) -> None:
        self._ids, self._ended = _Ids(), _Ended()
        self._words = _Words(settings.headers.values())
        logger = logging.getLogger("opentelemetry")
        logger.handlers, logger.propagate = [self._words], False
        self._provider = TracerProvider(
            sampler=_sampler(settings.sample_ratio),
            resource=_resource(settings),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(self._ended)
        self._tracer = self._provider.get_tracer("trunkline", settings.version)
        self._exporter = OTLPSpanExporter(
            endpoint=address(settings.endpoint),
            headers=settings.headers or None,
            session=_session(),
        )

    def export(self, traces: Sequence[Trace]) -> tuple[int, str]:
        """Send traces; return the number that was not sampled, and the problem, if any."""
        unsampled = 0
        for each in traces:
            if not self._record(each):
                unsampled += 1
        spans, self._ended.spans = self._ended.spans, []
        self._words.lines.clear()
        if not spans or self._exporter.export(spans) is SpanExportResult.SUCCESS:
            return unsampled, ""
        return unsampled, self._words.why()

    def _record(self, trace: Trace) -> bool:
        """Record the spans of a trace; return whether it is sampled."""
        contexts: dict[int, SpanContext] = {}
        remote = trace.remote
        if remote is not None:
            flags = SAMPLED if remote.sampled else Flags(Flags.DEFAULT)
            contexts[0] = SpanContext(remote.trace, remote.span, is_remote=True, trace_flags=flags)
        for span in trace.spans:
            made = self._start(trace, span, contexts.get(span.parent))
            if not made.is_recording():
                return False  # the others are left out with it
            contexts[span.id] = made.get_span_context()
            if span.error:
                made.set_status(Status(StatusCode.ERROR, span.error))
                made.set_attribute("error.type", span.error)
            for name, at in span.events:
                made.add_event(name, timestamp=at * NANOS)
            made.end(span.end * NANOS)
        return True

    def _start(self, trace: Trace, span: Span, parent: SpanContext | None) -> api.Span:
        self._ids.trace, self._ids.span = trace.id, span.id
        context = (
            Context()
            if parent is None
            else api.set_span_in_context(NonRecordingSpan(parent), Context())
        )
        return self._tracer.start_span(
            span.name,
            context,
            kind=SpanKind.INTERNAL if span.parent else KINDS.get(span.name, SpanKind.CONSUMER),
            attributes=span.attributes,
            links=[Link(SpanContext(*each, is_remote=True)) for each in span.links],
            start_time=span.start * NANOS,
        )


def address(endpoint: str | None) -> str | None:
    """Return the whole address of an endpoint; ``None``: that of the environment."""
    if endpoint is None or urlsplit(endpoint).path not in ("", "/"):
        return endpoint
    return f"{endpoint.rstrip('/')}{TRACES}"


def _sampler(ratio: float | None) -> Sampler | None:
    return None if ratio is None else ParentBased(TraceIdRatioBased(ratio))


def _resource(settings: ExportSettings) -> Resource:
    """Return the resource of the spans; the configured name precedes the environment's."""
    named = settings.service_name
    if named is None and not any(os.environ.get(each) for each in SERVICE_NAME_VARIABLES):
        named = "trunkline"
    given = {} if named is None else {SERVICE_NAME: named}
    return Resource.create({"service.version": settings.version} | given)
