"""Exports the gateway's figures to Prometheus.

Nothing is counted here: each object counts for itself in plain integers, which costs the hot
path nothing, and they are read when the metrics are requested. Every series exists from the
start. The text is made in a thread: that of 500 accounts takes a tenth of a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import Path

from ipc.frames.status import AccountStatus
from ipc.frames.words import Phase
from ipc.metrics import (
    PREFIX,
    Series,
    counter,
    counters,
    gauge,
    gauges,
    histogram,
    of_accounts,
    of_agents,
    text,
)
from runtime.gateway.clients.method_table import public
from runtime.gateway.journal.interface import FILE
from runtime.gateway.parts import GatewayParts
from runtime.gateway.request_times import BOUNDS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The figures of one gateway, of its accounts and of its process."""

    def __init__(self, parts: GatewayParts) -> None:
        self._parts = parts

    async def text(self) -> bytes:
        """Return all series in the text format."""
        parts = self._parts
        own = [*_of_gateway(parts), *_of_outboxes(parts), *parts.accounts.series]
        accounts, agents = list(parts.accounts.rows.values()), list(parts.accounts.agents.values())
        return await asyncio.to_thread(self._write, own, accounts, agents)

    def _write(
        self, own: list[Series], accounts: list[AccountStatus], agents: list[AccountStatus]
    ) -> bytes:
        now = time.time()
        series = [*own, *of_accounts(accounts, now), *of_agents(agents, now)]
        return text(series).encode() + self._of_process()

    @cached_property
    def _of_process(self) -> Callable[[], bytes]:
        # Late, in the thread: 0.9 MiB, with servers of its own, needed only for metrics.
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

        registry = CollectorRegistry()
        ProcessCollector(namespace="trunkline_gateway", registry=registry)
        return partial(generate_latest, registry)


def _of_gateway(parts: GatewayParts) -> Iterator[Series]:
    """Yield all series, in the order of the answer."""
    yield from _of_clients(parts)
    yield from _of_messages(parts)
    yield from _of_agents(parts)
    yield from _of_http(parts)
    yield from _of_journal(parts)


def _of_clients(parts: GatewayParts) -> Iterator[Series]:
    """Yield the series of connections, requests and refusals."""
    hub, server = parts.hub, parts.server
    yield gauge("clients", "Authenticated WebSocket clients.", len(hub.clients))
    yield gauge("connections", "Open WebSockets.", len(server.connections))
    yield gauge("calls_pending", "Pending calls to accounts.", len(parts.calls))
    yield gauge("ring_bytes", "Recent events kept for replay.", parts.rings.size_bytes)
    has_session = parts.supervisor.client is not None
    yield gauge("session", "1 while the supervisor is connected.", has_session)
    yield counter("requests", "Requests of clients.", hub.requests)
    yield counter("request_failures", "Requests answered with an error.", hub.failures)
    names = {*public(3), *public(4), *hub.times.by_method}
    none = [0] * (len(BOUNDS) + 2)
    rows = {name: hub.times.by_method.get(name, none) for name in sorted(names)}
    text = "Seconds from a request to its answer."
    yield histogram("request_seconds", text, "method", BOUNDS, rows)
    yield counter("client_sent_bytes", "Bytes sent to WebSocket clients.", server.sent_bytes)
    yield counter(
        "client_received_bytes", "Bytes received from WebSocket clients.", server.received_bytes
    )
    unread = server.unread
    yield gauge("client_unread_bytes", "Bytes that clients have not read.", unread.size_bytes)
    yield counter("malformed_frames", "Frames of clients that are not JSON.", hub.malformed)
    yield counter("slow_clients", "Clients closed because they do not read.", unread.slow)
    unproven = server.unproven
    yield gauge("unproven_sockets", "Sockets that have not authenticated yet.", len(unproven))
    yield counter(
        "crowded", "Sockets refused, because their address had too many.", unproven.crowded
    )
    yield counter("evicted", "Idle sockets closed to make room.", unproven.evicted)
    yield counter(
        "starved", "Connections that came when the limit of open files was reached.", server.starved
    )
    text = "Young connections of a gateway that was killed."
    yield counters("taken_over", text, "outcome", server.taken_over)
    yield counters("refused", "Handshakes refused.", "reason", hub.refused)


def _of_messages(parts: GatewayParts) -> Iterator[Series]:
    """Yield the series of accounts, their messages, and traces of these."""
    data_link, fanout = parts.data_link, parts.fanout
    yield counter("messages", "Messages of accounts that were passed on.", data_link.messages)
    yield counter("events", "Trunkline's own events, each counted once.", fanout.published)
    yield counter(
        "deliveries", "Trunkline's own events, counted for each client.", fanout.delivered
    )
    yield counters(
        "dropped", "Frames of workers that were not passed on.", "reason", data_link.dropped
    )
    yield _admission(parts)
    phases = [row.phase for row in parts.accounts.rows.values()]
    counted = {phase.value: phases.count(phase) for phase in Phase}
    yield gauges("accounts", "Accounts by phase.", "phase", counted)
    yield counters("traces", "Traces of messages.", "outcome", parts.telemetry.counts)
    waits = parts.telemetry.waiting
    yield gauge("traces_waiting", "Messages whose trace is not exported yet.", waits)


def _of_agents(parts: GatewayParts) -> Iterator[Series]:
    """Yield the series of agents' turns, by what requests them: people, jobs."""
    yield counter("agent_answers", "Answers of agents that were sent.", parts.agents.answered)
    yield counters(
        "agent_failures", "Answers of agents that were not sent.", "reason", parts.agents.failed
    )
    runs = parts.runs.figures()
    yield gauge("runs_waiting", "Runs of agents that wait.", runs["waiting"])
    yield gauge("runs_running", "Runs that an agent has.", runs["running"])
    yield counters("runs_ended", "Runs that have ended.", "outcome", runs["ended"])
    jobs, running = parts.timers.figures()
    yield gauge("cron_jobs", "Scheduled jobs.", jobs)
    yield gauge("cron_running", "Current runs of jobs.", running)
    yield counters("cron_runs", "Runs of jobs that have ended.", "outcome", parts.timers.ended)


def _of_http(parts: GatewayParts) -> Iterator[Series]:
    """Yield the series of HTTP requests by result."""
    bounds, api = parts.http_calls.bounds, parts.api
    yield counter("ingress_requests", "Admitted HTTP requests to accounts.", bounds.requests)
    yield gauge("ingress_in_flight", "HTTP requests to accounts being answered.", bounds.in_flight)
    yield gauge(
        "ingress_bytes",
        "Bytes in memory of bodies of HTTP requests to accounts.",
        bounds.memory.held,
    )
    yield gauge(
        "ingress_disk_bytes",
        "Bytes on disk of bodies of HTTP requests to accounts.",
        bounds.disk.held,
    )
    yield counters(
        "ingress_refused", "Refused HTTP requests to accounts.", "reason", bounds.refused
    )
    yield counters("api_requests", "Requests to the HTTP API.", "outcome", api.outcomes)
    refused = {str(status): count for status, count in api.refused.items()}
    yield counters("http_refused", "Refused HTTP requests of all paths.", "status", refused)
    yield gauge("api_in_flight", "Requests to the HTTP API being answered.", api.in_flight)
    yield gauge("api_streams", "Requests to the HTTP API being answered by a stream.", api.streams)
    counts = parts.canvas.counts
    yield counters("canvas_requests", "Requests to the canvas host.", "outcome", counts)
    yield counters("hook_requests", "Requests to hooks.", "outcome", parts.hooks.counts)


def _of_journal(parts: GatewayParts) -> Iterator[Series]:
    """Yield the series of the journal's size and whether it can store more."""
    journal = parts.intake.journal
    is_open, halted, commits, waiting = False, False, 0, 0
    if journal is not None:
        is_open, halted = journal.ready, journal.fault is not None
        commits, waiting = journal.commits, journal.waiting_bytes
    yield gauge("journal_open", "1 while a journal is in use.", is_open)
    yield gauge("journal_full", "1 while nothing can be stored.", halted)
    yield counter("journal_commits", "Writes to the journal.", commits)
    yield gauge("journal_waiting_bytes", "Bytes of records that wait to be stored.", waiting)
    yield gauge(
        "journal_bytes",
        "Bytes of the journal's file with its log.",
        _size(Path(parts.boot.state_dir) / FILE),
    )
    repeated = sum(parts.intake.repeated.values())
    yield counter("journal_repeated", "Messages that a platform repeated.", repeated)


def _of_outboxes(parts: GatewayParts) -> Iterator[Series]:
    """Yield the series of unsent messages, in total and by account."""
    outbox = parts.outbox.figures()
    yield gauge("outbox_depth", "Messages that wait to be sent.", outbox["depth"])
    yield gauge("outbox_bytes", "Bytes of texts that wait to be sent.", outbox["bytes"])
    yield gauge(
        "outbox_held_bytes", "Bytes in memory of texts that wait to be sent.", outbox["heldBytes"]
    )
    yield counter("outbox_refused", "Messages refused for lack of room.", outbox["refused"])
    oldest = outbox["oldestMs"] / 1000
    yield gauge("outbox_oldest_seconds", "Seconds for which the oldest message has waited.", oldest)
    yield counters(
        "outbox_attempts", "Finished attempts to send, by outcome.", "reason", outbox["attempts"]
    )
    depths, ages = dict.fromkeys(parts.accounts.rows, 0), dict.fromkeys(parts.accounts.rows, 0.0)
    for key, account in parts.outbox.accounts.items():
        if account.entries:
            at = min(entry.row.at for entry in account.entries.values()) / 1000
            depths[key], ages[key] = len(account.entries), max(0.0, time.time() - at)
    text = "Messages of the account that wait to be sent."
    yield gauges("account_outbox_depth", text, "account", depths)
    text = "Seconds for which the oldest message of the account has waited."
    yield gauges("account_outbox_oldest_seconds", text, "account", ages)


def _admission(parts: GatewayParts) -> Series:
    samples = [
        ({"account": key, "outcome": outcome, "reason": reason}, float(count))
        for key, counts in parts.gatekeeper.counts.items()
        for (outcome, reason), count in counts.items()
    ]
    text = "Decisions whether a message is answered, by outcome and reason."
    return Series(f"{PREFIX}admission", "counter", text, samples)


def _size(path: Path) -> int:
    """Return the size of a database with its log in bytes; 0 if there is none."""
    total = 0
    for each in (path, path.with_name(f"{path.name}-wal")):
        with contextlib.suppress(OSError):
            total += each.stat().st_size
    return total
