"""Measures whether one account that hangs delays the HTTP requests of the others.

    python -m bench.ingress [--accounts 20] [--rate 2000] [--seconds 5] [--rounds 3] [--json FILE]

The real daemon with ``webhook`` accounts and a journal, and signed messages over keep-alive
connections at an even rate. Calm rounds alternate with rounds in which the worker of one account is
stopped (SIGSTOP), so that it holds its places until they are answered for. The latency is from
the writing of a request to its answer, of the accounts that do not hang; ``late`` is how far
behind its schedule the client itself wrote, at its p99: it shares the processors. All columns are
of the accounts that do not hang.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import math
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import uvloop

from bench import machine
from bench.measuring.figures import fixed, median, percentile, table
from tests.support.daemon import Daemon
from tests.support.short_directory import ShortDirectory
from workers.web.signing import key_of, sign

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
KEYS = [key_of(SECRET)]
MOST_CONNECTIONS = 40  # of one account: more than its places
NONE = "no connection"  # all connections of an account wait: it is not sent
SETTLE_SECONDS = 0.5  # between two rounds
ANSWER_SECONDS = 2.0  # at the end of one, for the last answers
OnAnswer = Callable[[int], None]
BODY = json.dumps({"text": "build 7 has failed", "chat": "ops", "sender": "ci"}).encode()


@dataclass(frozen=True, slots=True)
class Round:
    """One round. Times are milliseconds; ``statuses`` are those of accounts that do not hang."""

    hanging: bool
    per_second: float  # answered
    p50_ms: float
    p99_ms: float
    late_ms: float
    skipped: int  # not sent, because all connections waited
    again: int  # sent once more: the kept connection had to give way meanwhile
    statuses: dict[str, int]


class HttpConnection(asyncio.Protocol):
    """One keep-alive connection with at most one request on it.

    Callbacks instead of futures and tasks: the client runs on the processors that it measures.
    """

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.closed = False
        self.asked = 0
        self._answered: OnAnswer | None = None
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._end(0)

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0 or self._answered is None:
            return
        head = self._data[:end].lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(self._data) < end + 4 + length:
            return
        self._data = b""
        self.closed = self.closed or b"connection: close" in head
        self._end(int(head.split(b" ", 2)[1]))

    def ask(self, request: bytes, answered: OnAnswer) -> None:
        """Send a request; call ``answered`` with the status, or 0 if the connection was closed."""
        assert self.transport is not None
        self.asked += 1
        self._answered = answered
        self.transport.write(request)

    def drop(self) -> None:
        """Stop waiting for the answer."""
        self._answered = None
        self.closed = True

    def _end(self, status: int) -> None:
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(status)


@dataclass
class Sender:
    """The requests to one account, each on a connection of its own while it lasts."""

    port: int
    account: str
    idle: list[HttpConnection] = field(default_factory=list)
    open: int = 0
    again: int = 0
    latencies: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    waiting: dict[int, HttpConnection] = field(default_factory=dict)  # those that are asked
    connecting: set[asyncio.Task[None]] = field(default_factory=set)
    answered: asyncio.Event = field(default_factory=asyncio.Event)  # all of them

    async def run(self, requests: list[bytes], start: float, interval: float) -> None:
        """Send at a constant rate, then wait briefly for the remaining answers."""
        loop = asyncio.get_running_loop()
        for number, request in enumerate(requests):
            due = start + number * interval
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            self.send(request, due)
        if self.waiting or self.connecting:
            self.answered.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.answered.wait(), ANSWER_SECONDS)
        for task in self.connecting:
            task.cancel()
        for connection in list(self.waiting.values()):
            connection.drop()
            self.give_back(connection)

    def send(self, request: bytes, due: float) -> None:
        """Send a request on an idle connection, or on a new one up to the limit."""
        while self.idle:
            if not (found := self.idle.pop()).closed:
                self.ask(found, request, due)
                return
            self.give_back(found)
        if self.open >= MOST_CONNECTIONS:
            self.statuses[NONE] += 1
        else:
            self.connect(request, due)

    def connect(self, request: bytes, due: float, begun: float | None = None) -> None:
        """Send a request on a new connection; ``begun`` is set for a retry: its first time."""
        task = asyncio.get_running_loop().create_task(self._connect(request, due, begun))
        self.connecting.add(task)
        task.add_done_callback(self._connected)

    def _connected(self, task: asyncio.Task[None]) -> None:
        self.connecting.discard(task)
        self._look()

    async def _connect(self, request: bytes, due: float, begun: float | None) -> None:
        self.open += 1
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(HttpConnection, "127.0.0.1", self.port)
        self.ask(made, request, due, begun)

    def ask(
        self, connection: HttpConnection, request: bytes, due: float, begun: float | None = None
    ) -> None:
        if begun is None:
            self.late.append(asyncio.get_running_loop().time() - due)
            begun = time.perf_counter()
        since = begun
        self.waiting[id(connection)] = connection

        def answered(status: int) -> None:
            if not status and connection.asked > 1:
                # A server may close a kept connection just when something is sent on it, so every
                # client of HTTP sends it again (RFC 9112, 9.3.1); by its id it counts once.
                self.again += 1
                self.connect(request, due, since)
                self.give_back(connection)
                return
            self.latencies.append(time.perf_counter() - since)
            self.statuses[str(status)] += 1
            self.give_back(connection)

        connection.ask(request, answered)

    def give_back(self, connection: HttpConnection) -> None:
        self.waiting.pop(id(connection), None)
        if connection.closed:
            self.open -= 1
            if connection.transport is not None:
                connection.transport.abort()
        else:
            self.idle.append(connection)
        self._look()

    def _look(self) -> None:
        if not self.waiting and not self.connecting:
            self.answered.set()

    def requests(self, count: int) -> list[bytes]:
        """Return signed requests, built before the measurement begins."""
        now = int(time.time())
        names = [f"{self.account}-{time.time_ns()}-{number}" for number in range(count)]
        return [
            (
                f"POST /channels/webhook/{self.account}/hook HTTP/1.1\r\nHost: localhost\r\n"
                f"webhook-id: {name}\r\nwebhook-timestamp: {now}\r\n"
                f"webhook-signature: {sign(KEYS, name, now, BODY)}\r\n"
                f"Content-Length: {len(BODY)}\r\n\r\n"
            ).encode()
            + BODY
            for name in names
        ]

    def close(self) -> None:
        for each in self.idle:
            if each.transport is not None:
                each.transport.abort()


async def measure(
    daemon: Daemon, accounts: int, rate: float, seconds: float, *, hanging: bool
) -> Round:
    """Run one round."""
    status = await daemon.wait(
        lambda now: all(
            now["accounts"][f"webhook:a{number}"]["phase"] == "running"
            for number in range(accounts)
        )
    )
    stopped = int(status["accounts"]["webhook:a0"]["pid"])
    senders = [Sender(daemon.port, f"a{number}") for number in range(accounts)]
    now = asyncio.get_running_loop().time
    for sender in senders:
        await sender.run(sender.requests(1), now(), 0)  # connected, and known to both
        sender.latencies.clear()
        sender.late.clear()
        sender.statuses.clear()
        sender.again = 0
    interval = accounts / rate
    requests = [each.requests(math.ceil(seconds / interval)) for each in senders]
    if hanging:
        os.kill(stopped, signal.SIGSTOP)
    try:
        start = now() + 0.1
        runs = (
            each.run(requests[number], start + interval * number / accounts, interval)
            for number, each in enumerate(senders)
        )
        await asyncio.gather(*runs)
    finally:
        os.kill(stopped, signal.SIGCONT)
    for sender in senders:
        sender.close()
    calm = senders[1:]
    latencies = [value for each in calm for value in each.latencies]
    statuses: Counter[str] = sum((each.statuses for each in calm), Counter())
    del statuses[NONE]
    skipped = sum(each.statuses[NONE] for each in calm)
    return Round(
        hanging=hanging,
        per_second=sum(statuses.values()) / seconds,
        p50_ms=percentile(latencies, 0.5) * 1000,
        p99_ms=percentile(latencies, 0.99) * 1000,
        late_ms=percentile([value for each in calm for value in each.late], 0.99) * 1000,
        skipped=skipped,
        again=sum(each.again for each in calm),
        statuses=dict(statuses),
    )


def report(rounds: Sequence[Round]) -> str:
    """Return a table of the rounds, and whether other accounts were delayed."""
    rows = [
        (
            "one hangs" if each.hanging else "calm",
            f"{each.per_second:,.0f}",
            fixed(each.p50_ms),
            fixed(each.p99_ms),
            fixed(each.late_ms),
            f"{each.skipped:,}",
            f"{each.again:,}",
            ", ".join(f"{count:,} × {status}" for status, count in sorted(each.statuses.items())),
        )
        for each in rounds
    ]
    calm = [each.p99_ms for each in rounds if not each.hanging]
    beside = [each.p99_ms for each in rounds if each.hanging]
    head = (
        "round",
        "answers/s",
        "p50, ms",
        "p99, ms",
        "late p99, ms",
        "not sent",
        "again",
        "answers",
    )
    lines = [table(head, rows)]
    if calm and beside:
        before, after = median(calm), median(beside)
        bound = max(1.5 * before, before + 5)
        verdict = "held" if after <= bound else "not held"
        lines.append(
            f"\nMedian p99 of the others: {fixed(before)} ms calm, {fixed(after)} ms beside the"
            f" account that hangs; the bound max(1.5 × calm, calm + 5 ms) = {fixed(bound)} ms is"
            f" {verdict}."
        )
    return "\n".join(lines)


async def run(accounts: int, rate: float, seconds: float, rounds: int) -> list[Round]:
    """Run all rounds, alternating between without and with a hanging account."""
    common = {"ingress": True, "secret": SECRET, "agent": "none"}
    config = {
        "channels": {"webhook": {"accounts": {f"a{n}": common for n in range(accounts)}}},
        # Above the rate that is sent: what is to be seen is the account that hangs.
        "ingress": {"perSecond": 4 * rate / accounts},
    }
    found = []
    with ShortDirectory() as place:
        async with Daemon(place, config) as daemon:
            for number in range(2 * rounds):
                hanging = number % 2 == 1
                found.append(await measure(daemon, accounts, rate, seconds, hanging=hanging))
                await asyncio.sleep(SETTLE_SECONDS)
    return found


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Measure HTTP requests beside one that hangs.")
    parser.add_argument("--accounts", type=int, default=20)
    parser.add_argument("--rate", type=float, default=2000, help="requests a second, of all")
    parser.add_argument("--seconds", type=float, default=5.0, help="of one round")
    parser.add_argument("--rounds", type=int, default=3, help="of each kind")
    parser.add_argument("--json", type=Path, help="write the rounds here too")
    given = parser.parse_args(arguments)
    about: dict[str, Any] = machine.describe()
    rounds = uvloop.run(run(given.accounts, given.rate, given.seconds, given.rounds))
    print(f"{report(rounds)}\n\n{machine.sentence(about)}")
    if given.json is not None:
        whole = {"machine": about, "rounds": [asdict(each) for each in rounds]}
        given.json.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
