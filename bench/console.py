"""Measures what the console costs a browser while many accounts talk: its load, tab and stream.

    python -m bench.console [--count 500] [--rate 1] [--seconds 60] [--loads 5]

Each account of a real daemon emits so many messages a second. A real Chromium without a window
opens the console, signed in as ``trunkline open`` does, and stays on a page for a while. The
weight is all that goes over the wire for a load, heads included; the time runs from the
navigation to the first account in the document. The CPU of the tab is that of its renderer, of
the browser that of all its processes: without a window and a graphics card it draws in software.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import uvloop
from playwright.async_api import CDPSession, expect

from bench.measuring.figures import table
from bench.measuring.processes import cpu_ns, must_measure
from bench.systems.product import Product
from tests.support.browser import BROWSER
from tests.support.console import Console, chromium, tab

SETTLE_SECONDS = 12.0  # until all accounts have beaten twice, and the page has its past
PAGES = {"fleet": "Fleet", "messages": "Messages"}
# Runs before the page's own scripts: notes when the first account stands in the document.
FIRST = """(() => {
  const look = () => {
    if (!document.querySelector(".fleet .table-body .who")) return;
    window.firstData = performance.now();
    seen.disconnect();
  };
  const seen = new MutationObserver(look);
  seen.observe(document, { childList: true, subtree: true });
})()"""


class Load(msgspec.Struct, frozen=True):
    """One load of the page: ``requests``, ``bytes`` over the wire, milliseconds to first data."""

    requests: int
    bytes: int
    first_ms: float


class Stay(msgspec.Struct, frozen=True):
    """A while on one page: shares of a core, and bytes a second over its WebSocket."""

    page: str
    tab: float
    browser: float
    script: float
    bytes_each: float


class Found(msgspec.Struct, frozen=True):
    """``cold``: with an empty cache, ``warm``: with what the browser has kept."""

    accounts: int
    cold: list[Load]
    warm: list[Load]
    stays: list[Stay]


async def measure(count: int, seconds: float, loads: int, rate: float = 1) -> Found:
    """Run so many accounts and return what a browser was seen to do with them."""
    sources = {f"w{number}": {"rate": rate} for number in range(count)}
    product = Product(count, channels={"source": {"accounts": sources}})
    await product.start()
    try:
        async with AsyncExitStack() as stack:
            browser = await stack.enter_async_context(chromium())
            console = await stack.enter_async_context(tab(browser, product.daemon))
            await console.sign_in()
            session = await console.page.context.new_cdp_session(console.page)
            system = await browser.new_browser_cdp_session()
            await session.send("Network.enable")
            await console.page.add_init_script(FIRST)
            cold = [await _load(console, session, cached=False) for _ in range(loads)]
            warm = [await _load(console, session, cached=True) for _ in range(loads)]
            stays = [await _stay(console, session, system, page, seconds) for page in PAGES]
    finally:
        await product.stop()
    return Found(count, cold, warm, stays)


async def _load(console: Console, session: CDPSession, *, cached: bool) -> Load:
    """Load the page again, and return what that took."""
    sizes: list[float] = []

    def finished(event: dict[str, Any]) -> None:
        sizes.append(event["encodedDataLength"])

    await session.send("Network.setCacheDisabled", {"cacheDisabled": not cached})
    session.on("Network.loadingFinished", finished)
    await console.page.goto("about:blank")
    sizes.clear()
    await console.page.goto(f"{console.url}#/fleet")
    await expect(console.page.locator(".fleet .table-body .who").first).to_be_visible()
    first = await _value(session, "window.firstData")
    await console.page.wait_for_load_state("networkidle")
    session.remove_listener("Network.loadingFinished", finished)
    return Load(len(sizes), round(sum(sizes)), first)


async def _stay(
    console: Console, session: CDPSession, system: CDPSession, page: str, seconds: float
) -> Stay:
    """Stay on a page, and return what that costs."""
    await console.open(page, PAGES[page])
    await asyncio.sleep(min(SETTLE_SECONDS, seconds))
    received = 0

    def took(event: dict[str, Any]) -> None:
        nonlocal received
        received += len(event["response"]["payloadData"].encode())

    processes = (await system.send("SystemInfo.getProcessInfo"))["processInfo"]
    pids = {int(each["id"]): each["type"] for each in processes}
    session.on("Network.webSocketFrameReceived", took)
    before = {pid: cpu_ns(pid) for pid in pids}
    busy, began = await _busy(session), time.monotonic()
    await asyncio.sleep(seconds)
    passed = time.monotonic() - began
    used = {pid: (cpu_ns(pid) - spent) / 1e7 / passed for pid, spent in before.items()}
    script = (await _busy(session) - busy) / passed * 100
    session.remove_listener("Network.webSocketFrameReceived", took)
    tabs = sum(share for pid, share in used.items() if pids[pid] == "renderer")
    return Stay(page, tabs, sum(used.values()), script, received / passed)


async def _busy(session: CDPSession) -> float:
    """Return the seconds for which the tab's main thread has worked."""
    await session.send("Performance.enable")
    found = (await session.send("Performance.getMetrics"))["metrics"]
    return float(next(each["value"] for each in found if each["name"] == "TaskDuration"))


async def _value(session: CDPSession, expression: str) -> float:
    found = await session.send("Runtime.evaluate", {"expression": expression})
    return float(found["result"]["value"])


def report(found: Found) -> str:
    """Return two tables."""
    loads = [
        (
            name,
            f"{statistics.median(each.requests for each in some):.0f}",
            f"{statistics.median(each.bytes for each in some) / 1024:.1f} KiB",
            f"{statistics.median(each.first_ms for each in some):.0f} ms",
            f"{max(each.first_ms for each in some):.0f} ms",
        )
        for name, some in (("empty", found.cold), ("kept", found.warm))
    ]
    stays = [
        (
            each.page,
            f"{each.tab:.1f}",
            f"{each.script:.1f}",
            f"{each.browser:.1f}",
            f"{each.bytes_each / 1000:.1f} KB",
        )
        for each in found.stays
    ]
    head = ("cache", "requests", "over the wire", "first data, median", "at most")
    costs = ("page", "tab, % of a core", "its main thread", "whole browser", "received a second")
    return f"{found.accounts} accounts\n\n{table(head, loads)}\n\n{table(costs, stays)}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.console", description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--rate", type=float, default=1, help="messages a second of each account")
    parser.add_argument("--seconds", type=float, default=60.0, help="on each page")
    parser.add_argument("--loads", type=int, default=5, help="of the page, each way")
    args = parser.parse_args()
    must_measure()
    if BROWSER is None:
        sys.exit("This needs Chromium: apt-get install chromium, or CHROMIUM=…")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(report(runner.run(measure(args.count, args.seconds, args.loads, args.rate))))


if __name__ == "__main__":
    main()
