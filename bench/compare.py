"""Compares the product of this checkout with that of another one, and with itself.

    python -m bench.compare OTHER_CHECKOUT [--pairs 15] [--only PART ...] [--json FILE]

In every round the same is measured of this checkout, of the other and of this one again, one
right after the other, in an order that changes from round to round. Both products run as users
run them, each in the environment of its own checkout (``.venv``), and are driven through their
command line, sockets and WebSocket alone, by this checkout's load generator: so the other one may
have any layout inside. A figure is worse when the median ratio lies beyond 3 %, or beyond twice
the A/A spread (half of what the quartiles of this ÷ this lie apart) where that is more.
Exits with 1 when one is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

import uvloop

from bench import accounts, coldstart, machine
from bench.checkout import Checkout, NotBuilt
from bench.measuring import windows
from bench.measuring.comparison import Figure, compare, report
from bench.measuring.processes import must_measure, pss_bytes
from bench.systems.product import Product
from bench.systems.system import REQUESTS, Order
from bench.tied import TiedDaemon
from tests.support.short_directory import ShortDirectory

MIB = 2**20
PAIRS = 15
ACCOUNTS = 20
SECONDS = 0.8  # of each window
SETTLE = 1.5  # seconds until a fresh process has touched what it touches at rest
FLOOD = Order(workers=4, rate=-1, size=200)
READERS = 10
CLIENTS, DEPTH = 8, 16  # of requests
ROLES = ("ours", "theirs", "again")

Values = dict[str, float]  # by the name of the figure
Round = dict[str, Values]  # by role
Measured = dict[str, dict[str, list[float]]]  # figure → role → one value per round

COLD_START = [Figure("cold start to the first health", "s")]
MEMORY = [
    Figure("all accounts ready", "s"),
    Figure("PSS per worker", "MiB"),
    Figure("PSS supervisor", "MiB"),
    Figure("PSS gateway", "MiB"),
]
LOAD = [
    Figure("events", "per s", more_is_better=True),
    Figure("gateway CPU per event", "µs"),
    Figure("worker CPU per event", "µs"),
    Figure("requests to the gateway", "per s", more_is_better=True),
    Figure("gateway CPU per request", "µs"),
    Figure("requests through a worker", "per s", more_is_better=True),
    Figure("gateway CPU per request through a worker", "µs"),
    Figure("worker CPU per request", "µs"),
]


async def cold_start(checkouts: dict[str, Checkout], order: Sequence[str]) -> Round:
    """Start each with one account and stop it."""
    found = {}
    for role in order:
        with ShortDirectory() as place:
            daemon = TiedDaemon(place, coldstart.config(), checkout=checkouts[role])
            try:
                found[role] = {COLD_START[0].name: await coldstart.first_answer(daemon)}
            finally:
                await daemon.__aexit__()
    return found


async def memory(checkouts: dict[str, Checkout], order: Sequence[str]) -> Round:
    """Start each with idle accounts, read its memory, and stop it.

    Never two at once: what they map of the same files would be divided between them.
    """
    found = {}
    for role in order:
        with ShortDirectory() as place:
            config = accounts.config(ACCOUNTS)
            daemon = TiedDaemon(place, config, checkout=checkouts[role])
            try:
                found[role] = await _at_rest(daemon)
            finally:
                await daemon.__aexit__()
    return found


async def _at_rest(daemon: TiedDaemon) -> Values:
    began = time.monotonic()
    await daemon.start()
    ready = await accounts.all_running(daemon) - began
    await coldstart.load_http_server(daemon.port)
    await asyncio.sleep(SETTLE)
    status = await daemon.status()
    workers = [row["pid"] for row in status["accounts"].values()]
    held = [
        ready,
        sum(map(pss_bytes, workers)) / len(workers) / MIB,
        pss_bytes(daemon.pid) / MIB,
        pss_bytes(status["gateway"]["pid"]) / MIB,
    ]
    return dict(zip([figure.name for figure in MEMORY], held, strict=True))


async def load(checkouts: dict[str, Checkout], order: Sequence[str]) -> Round:
    """Start all, then measure one after the other under load while the others are idle.

    Fresh processes in every round: what one start is lucky with would be in every ratio.
    """
    products = {role: Product(FLOOD.workers, checkout=checkouts[role]) for role in order}
    found: Round = {role: {} for role in order}
    async with AsyncExitStack() as stack:
        for product in products.values():
            await product.start()
            stack.push_async_callback(product.stop)
        for measure in (_events, _requests, _worker_requests):
            for role, product in products.items():
                found[role] |= await measure(product)
                await windows.settle()
    return found


async def _events(product: Product) -> Values:
    window = await windows.events(product, FLOOD, clients=READERS, seconds=SECONDS)
    return {
        "events": window.rate,
        "gateway CPU per event": window.cpu_us["gateway"],
        "worker CPU per event": window.cpu_us["workers"],
    }


async def _requests(product: Product) -> Values:
    window = await _asked(product, "gateway")
    return {
        "requests to the gateway": window.rate,
        "gateway CPU per request": window.cpu_us["gateway"],
    }


async def _worker_requests(product: Product) -> Values:
    window = await _asked(product, "worker")
    return {
        "requests through a worker": window.rate,
        "gateway CPU per request through a worker": window.cpu_us["gateway"],
        "worker CPU per request": window.cpu_us["workers"],
    }


async def _asked(product: Product, kind: str) -> windows.Window:
    return await windows.requests(
        product, REQUESTS[kind], clients=CLIENTS, depth=DEPTH, seconds=SECONDS
    )


Measure = Callable[[dict[str, Checkout], Sequence[str]], Awaitable[Round]]
PARTS: dict[str, tuple[list[Figure], Measure]] = {
    "coldstart": (COLD_START, cold_start),
    "memory": (MEMORY, memory),
    "load": (LOAD, load),
}
FIGURES = [figure for figures, _ in PARTS.values() for figure in figures]


async def measure(other: Checkout, pairs: int, parts: Sequence[str]) -> Measured:
    """Return every value of every round."""
    this = Checkout.this()
    checkouts = dict(zip(ROLES, (this, other, this), strict=True))
    found: Measured = {}
    for number in range(pairs):
        order = [*ROLES[number % 3 :], *ROLES[: number % 3]]
        for part in parts:
            for role, values in (await PARTS[part][1](checkouts, order)).items():
                for name, value in values.items():
                    found.setdefault(name, {each: [] for each in ROLES})[role].append(value)
        print(f"pair {number + 1} of {pairs}", file=sys.stderr, flush=True)
    return found


def options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("other", type=Path, metavar="OTHER_CHECKOUT")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART",
                        help=f"of {', '.join(PARTS)}")  # fmt: skip
    parser.add_argument("--json", type=Path, help="write every value of every round there")
    args = parser.parse_args()
    if args.pairs < 2:
        parser.error("--pairs: two at least, or there is no spread")
    try:
        args.other = Checkout.at(args.other)
    except NotBuilt as missing:
        parser.error(str(missing))
    ours, theirs = Checkout.this().interpreter, args.other.interpreter
    if ours != theirs:
        parser.error(
            f"this checkout runs {ours} and {args.other.root} runs {theirs}: that would be "
            "measured; make both environments with the same interpreter"
        )
    return args


def main() -> int:
    """Measure and print; return 1 if a figure is worse."""
    args = options()
    must_measure()
    about, theirs = machine.describe(), machine.revision(args.other.root)
    began = time.monotonic()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        measured = runner.run(measure(args.other, args.pairs, args.only))
    comparisons = compare(FIGURES, measured)
    print(f"{report(comparisons)}\n")
    print(f"This: {about['revision']}; other: {theirs}; {args.pairs} pairs in", end=" ")
    print(f"{time.monotonic() - began:.0f} s. {machine.sentence(about)}")
    if args.json:
        verdicts = [asdict(each) | {"verdict": each.verdict} for each in comparisons]
        whole = {"machine": about, "other": theirs, "comparisons": verdicts, "measured": measured}
        args.json.write_text(json.dumps(whole, indent=1))
    return 1 if any(each.verdict == "worse" for each in comparisons) else 0


if __name__ == "__main__":
    sys.exit(main())
