"""Measures what abuse of the gateway costs its other clients, and its memory.

    python -m bench.abuse [--rounds 5] [--seconds 4] [KIND ...]

One daemon, and for each kind of abuse so many rounds of a calm window and one of abuse, one after
the other. In each a client asks for ``health`` every 10 ms over its WebSocket, and one
``GET /health``. The table has the median over the rounds of the 99th percentile of both, calm and
then, the highest RSS of the gateway's process (``VmHWM``) less that before, and how much of the
abuse the method ``status`` shows as refused. In a window without an answer there is no percentile:
of this there is ``none``, and the count of such windows.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop

from bench import machine
from bench.measuring.figures import fixed, median, percentile, table
from bench.measuring.processes import Peak, must_measure
from bench.tied import TiedDaemon
from tests.support import bad_agent
from tests.support.abuse import KINDS, Abuse, all_running, configuration, refusals
from tests.support.agent_packages import install_kind
from tests.support.daemon import TOKEN
from tests.support.rawclient import RawClient
from tests.support.short_directory import ShortDirectory

EVERY = 0.01
GET = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Row:
    """What one kind costs: 99th percentiles in ms, calm and then; MiB; refusals counted.

    ``silent`` counts the windows, calm and then, in which a client had no answer at all.
    """

    kind: str
    socket_ms: tuple[float, float]
    http_ms: tuple[float, float]
    mib: float
    refused: int
    alive: bool
    silent: int = 0


class Asker:
    """Two clients that ask for the health again and again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.socket: list[float] = []
        self.http: list[float] = []

    async def watch(self) -> None:
        """Ask until cancelled."""
        client = await RawClient.open(f"ws://127.0.0.1:{self._port}")
        await client.hello(TOKEN)
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)

        async def one() -> None:
            await client.call("health")

        async def other() -> None:
            writer.write(GET % self._port)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().split(b"content-length:")[1].split()[0]))

        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_timed(one, self.socket))
                tasks.create_task(_timed(other, self.http))
        finally:
            writer.close()
            client.socket.transport.abort()

    def p99(self) -> tuple[float, float]:
        """Return both 99th percentiles in ms, NaN where no answer came, and begin anew."""
        found = tuple(1000 * percentile(each, 0.99) for each in (self.socket, self.http))
        self.socket.clear()
        self.http.clear()
        return found[0], found[1]


async def _timed(ask: Abuse, late: list[float]) -> None:
    """Ask every ``EVERY`` seconds; an answer that comes late delays no later question's clock."""
    due = time.perf_counter()
    while True:
        await ask()
        late.append(time.perf_counter() - due)
        due = max(due + EVERY, time.perf_counter())
        await asyncio.sleep(due - time.perf_counter())


async def measured(daemon: TiedDaemon, kind: str, rounds: int, seconds: float) -> Row:
    """Return what a kind of abuse costs, over interleaved windows."""
    calm: list[tuple[float, float]] = []
    then: list[tuple[float, float]] = []
    pid = (await daemon.status())["gateway"]["pid"]
    asker, peak = Asker(daemon.port), Peak(pid)
    refused = await refusals(daemon)
    watching = asyncio.ensure_future(asker.watch())
    try:
        for _ in range(rounds):
            await asyncio.sleep(seconds)
            calm.append(asker.p99())
            await KINDS[kind](daemon, seconds)
            then.append(asker.p99())
            await asyncio.sleep(1)
            asker.p99()
    finally:
        watching.cancel()
        await asyncio.wait([watching])
    after = (await daemon.status())["gateway"]
    both = [
        (median(each[index] for each in calm), median(each[index] for each in then))
        for index in (0, 1)
    ]
    counted = await refusals(daemon) - refused
    silent = sum(any(map(math.isnan, each)) for each in [*calm, *then])
    return Row(kind, both[0], both[1], peak.mib(), counted, after["pid"] == pid, silent)


async def run(kinds: list[str], rounds: int, seconds: float) -> list[Row]:
    """Measure kinds of abuse on one daemon."""
    with ShortDirectory() as place:
        site = install_kind(place / "lib", bad_agent.KIND, bad_agent.MANIFEST)
        daemon = TiedDaemon(place, configuration(place), site=str(site))
        async with daemon:
            await all_running(daemon)
            rows = []
            for kind in kinds:
                rows.append(await measured(daemon, kind, rounds, seconds))
                print(rows[-1], flush=True)
            return rows


def report(rows: Sequence[Row]) -> str:
    """Return the table."""
    cells = [
        [
            each.kind,
            " → ".join(map(fixed, each.socket_ms)),
            " → ".join(map(fixed, each.http_ms)),
            str(each.silent),
            f"+{each.mib:.1f} MiB",
            str(each.refused),
            "yes" if each.alive else "no",
        ]
        for each in rows
    ]
    head = ("abuse", "WebSocket p99 ms", "HTTP p99 ms", "no answer", "memory", "refused", "up")
    return table(head, cells)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.abuse", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    args = parser.parse_args()
    must_measure()
    rows = uvloop.run(run(args.kinds or [*KINDS], args.rounds, args.seconds))
    print(report(rows))
    print(machine.sentence(machine.describe()))


if __name__ == "__main__":
    main()
