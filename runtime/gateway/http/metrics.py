"""Exports the gateway's figures to Prometheus.

Nothing is counted here: each object counts for itself in plain integers, which costs the hot
path nothing, and they are read when the metrics are requested. Every series exists from the
start.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ipc.frames.words import Phase
from ipc.metrics import Series, of_accounts, of_agents
from runtime.gateway.parts import GatewayParts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class GatewayCollector(Collector):
    """Reads the figures of one gateway."""

    def __init__(self, parts: GatewayParts) -> None:
        self._parts = parts

    def collect(self) -> Iterable[Metric]:
        """Return every series."""
        parts, hub = self._parts, self._parts.hub
        data_link, fanout, server = parts.data_link, parts.fanout, parts.server
        yield _gauge("clients", "Authenticated WebSocket clients.", len(hub.clients))
        yield _gauge("connections", "Open WebSockets.", len(server.connections))
        yield _gauge("calls_pending", "Calls to accounts on their way.", len(parts.calls))
        yield _gauge("ring_bytes", "Recent events kept for replay.", parts.rings.size_bytes)
        yield _gauge(
            "session", "1 while the supervisor is connected.", parts.supervisor.client is not None
        )
        yield _counter("requests", "Requests of clients.", hub.requests)
        yield _counter("request_failures", "Requests answered with an error.", hub.failures)
        yield _counter("malformed_frames", "Frames of clients that are not JSON.", hub.malformed)
        yield _counter("slow_clients", "Clients closed because they do not read.", server.slow)
        unproven = server.unproven
        yield _gauge("unproven_sockets", "Sockets that have proved nothing yet.", len(unproven))
        yield _counter("crowded", "Sockets refused: too many of one address.", unproven.crowded)
        yield _counter("evicted", "Idle sockets closed to make room.", unproven.evicted)
        yield _counter("starved", "Sockets that came when no files were left.", server.starved)
        yield _counter("messages", "Messages of accounts handed on.", data_link.messages)
        yield _counter("events", "Events of ours, made once each.", fanout.published)
        yield _counter("deliveries", "Events of ours, per client.", fanout.delivered)
        yield _counter("agent_answers", "Answers of agents that were sent.", parts.agents.answered)
        runs = parts.runs.figures()
        yield _gauge("runs_waiting", "Runs of agents that wait.", runs["waiting"])
        yield _gauge("runs_running", "Runs that an agent has.", runs["running"])
        yield _by("runs_ended", "Runs that have ended.", "outcome", runs["ended"])
        outbox = parts.outbox.figures()
        yield _gauge("outbox_depth", "Messages that are to be sent.", outbox["depth"])
        yield _gauge("outbox_bytes", "Their contents, in the journal.", outbox["bytes"])
        yield _gauge("outbox_held_bytes", "Those of them in memory.", outbox["heldBytes"])
        yield _counter("outbox_refused", "Messages for which was no room.", outbox["refused"])
        oldest = outbox["oldestMs"] / 1000
        yield _gauge("outbox_oldest_seconds", "For how long the oldest has waited.", oldest)
        yield _by("outbox_attempts", "Ended attempts to send.", "reason", outbox["attempts"])
        bounds = parts.http_calls.bounds
        yield _counter("ingress_requests", "HTTP requests to accounts admitted.", bounds.requests)
        yield _gauge("ingress_in_flight", "HTTP requests being answered.", bounds.in_flight)
        yield _gauge("ingress_bytes", "Bodies of HTTP requests in memory.", bounds.memory.held)
        yield _gauge("ingress_disk_bytes", "Bodies of HTTP requests on disk.", bounds.disk.held)
        yield _by("ingress_refused", "HTTP requests refused.", "reason", bounds.refused)
        counts = parts.canvas.counts
        api = parts.api
        yield _by("api_requests", "Requests to the HTTP API.", "outcome", api.outcomes)
        yield _gauge("api_in_flight", "Those that are being answered.", api.in_flight)
        yield _gauge("api_streams", "Those of them that are streams of events.", api.streams)
        yield _by("canvas_requests", "Requests to the canvas host.", "outcome", counts)
        yield _by("hook_requests", "Requests to hooks.", "outcome", parts.hooks.counts)
        scheduler = parts.timers.scheduler
        yield _gauge("cron_jobs", "Scheduled jobs.", len(scheduler.jobs))
        yield _gauge("cron_running", "Runs of them that are under way.", scheduler.in_flight)
        yield _by("refused", "Handshakes refused.", "reason", hub.refused)
        yield _by("dropped", "Frames of workers not handed on.", "reason", data_link.dropped)
        yield _by("agent_failures", "Answers that were not.", "reason", parts.agents.failed)
        yield _admission(parts)
        yield _phases(parts)
        rows = parts.accounts.rows.values()
        agents, now = parts.accounts.agents.values(), time.time()
        own = (*parts.accounts.series, *of_accounts(rows, now), *of_agents(agents, now))
        for series in own:
            yield _family(series)


def registry(parts: GatewayParts) -> CollectorRegistry:
    """Return a registry of this gateway alone."""
    own = CollectorRegistry()
    own.register(GatewayCollector(parts))
    ProcessCollector(namespace="trunkline_gateway", registry=own)
    return own


def text(registry: CollectorRegistry) -> bytes:
    """Return all series in the text format."""
    return generate_latest(registry)


def _gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(f"trunkline_{name}", help, value)


def _counter(name: str, help: str, value: float) -> Metric:
    return CounterMetricFamily(f"trunkline_{name}", help, value)


def _by(name: str, help: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"trunkline_{name}", help, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family


def _family(series: Series) -> Metric:
    """Return a figure that the supervisor has reported as plain data."""
    names = list(series.samples[0][0]) if series.samples else []
    make = CounterMetricFamily if series.kind == "counter" else GaugeMetricFamily
    family: CounterMetricFamily | GaugeMetricFamily = make(series.name, series.help, labels=names)
    for labels, value in series.samples:
        family.add_metric(list(labels.values()), value)
    return family


def _admission(parts: GatewayParts) -> Metric:
    labels = ["account", "outcome", "reason"]
    text = "Messages decided about, by the policy of their account."
    family = CounterMetricFamily("trunkline_admission", text, labels=labels)
    for key, counts in parts.gatekeeper.counts.items():
        for (outcome, reason), count in counts.items():
            family.add_metric([key, outcome, reason], count)
    return family


def _phases(parts: GatewayParts) -> Metric:
    family = GaugeMetricFamily("trunkline_accounts", "Accounts by phase.", labels=["phase"])
    for phase in Phase:
        count = sum(row.phase == phase for row in parts.accounts.rows.values())
        family.add_metric([phase], count)
    return family
