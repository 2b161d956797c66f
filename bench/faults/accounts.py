"""Faults of one account: its process, its code, what it says and what it prints."""

from __future__ import annotations

import asyncio
import base64
import os
import signal

from bench.faults.fault import Sight, comes_back, fault, replaced, unmoved
from bench.faults.ward import BAD, CROWD, Ward
from bench.measuring.processes import cpu_ns
from bench.measuring.rows import down, up

LOOP = 10  # crashes in a row that make a crash loop
HARM = 4.0  # seconds that a flood or a bomb lasts
BRIEF = 2.0  # seconds; less than any silence that matters


@fault("kill", "kill -9 of a worker")
async def _kill(ward: Ward, sight: Sight) -> None:
    before = ward.incarnation()
    ward.kill()
    await comes_back(ward, sight, before)


@fault("kill-many", f"kill -9 of {len(CROWD)} workers at once")
async def _kill_many(ward: Ward, sight: Sight) -> None:
    before = {key: ward.incarnation(key) for key in CROWD}
    waits = [asyncio.ensure_future(ward.rows.until(key, down)) for key in CROWD]
    await asyncio.sleep(0)  # all of them wait
    for key in CROWD:
        ward.kill(key)
    sight.saw(max(await asyncio.gather(*waits)))
    await asyncio.gather(*(ward.rows.until(key, up(after=before[key])) for key in CROWD))


@fault("crash-loop", f"kill -9 of a worker, {LOOP} times in a row, then an operator's start")
async def _crash_loop(ward: Ward, sight: Sight) -> None:
    for number in range(1, LOOP + 1):
        before = ward.incarnation()
        ward.kill()
        seen = await ward.rows.until(BAD, lambda row: row["phase"] == "backoff")
        if number < LOOP:
            await ward.rows.until(BAD, up(after=before))
    sight.saw(seen)
    sight.remark = f"{ward.rows.newest[BAD]['failures']} failures, then one try an hour"
    before = ward.incarnation()
    await ward.call("start")
    await ward.rows.until(BAD, up(after=before))


def _ordered(name: str, order: str, injected: str) -> None:
    """Enter a fault that the plugin commits when it is told to, and that ends its process."""

    @fault(name, injected)
    async def _commit(ward: Ward, sight: Sight) -> None:
        before = ward.incarnation()
        told = asyncio.create_task(ward.order(order))
        try:
            await comes_back(ward, sight, before)
        finally:
            await told


_ordered("exit", "exit", "the plugin ends the process (status 3)")
_ordered("segfault", "segfault", "the process dies of SIGSEGV")
_ordered("return", "return", "the plugin's run returns")
_ordered("raise", "callback", "a callback on the event loop raises")
_ordered("blocked-loop", "block", "the event loop blocks for an hour")
_ordered("gil", "hold-gil", "C code holds the GIL for ever")
_ordered("leak", "leak-memory", "a leak of 100 MB/s, to the hard limit")
_ordered("slow-leak", "leak-slowly", "a leak of 10 MB/s, to the soft limit")
_ordered("leak-files", "leak-files", "open files until there are no more")
_ordered("grandchild", "fork", "a forked grandchild that holds all files, then a crash")
_ordered("daemon", "daemon", "a grandchild in a session of its own, then a crash")


@fault("stopped-briefly", f"SIGSTOP for {BRIEF:g} s")
async def _stopped_briefly(ward: Ward, sight: Sight) -> None:
    before = ward.incarnation()
    ward.kill(BAD, signal.SIGSTOP)
    await asyncio.sleep(BRIEF)
    ward.kill(BAD, signal.SIGCONT)
    unmoved(ward, before)
    sight.remark = "left alone, as it should be"


@fault("stopped", "SIGSTOP for ever")
async def _stopped(ward: Ward, sight: Sight) -> None:
    before = ward.incarnation()
    ward.kill(BAD, signal.SIGSTOP)
    await comes_back(ward, sight, before)


@fault("deaf", "SIGTERM ignored, then an operator's restart")
async def _deaf(ward: Ward, sight: Sight) -> None:
    await ward.order("ignore-term")
    before = ward.incarnation()
    restart = asyncio.create_task(ward.call("restart"))
    await comes_back(ward, sight, before)
    await restart


@fault("log-bomb", f"100 MB/s of output for {HARM:g} s")
async def _log_bomb(ward: Ward, sight: Sight) -> None:
    before = ward.incarnation()
    used = cpu_ns(ward.daemon.pid)
    await ward.order("bomb 100 1000")
    await ward.until(lambda status: status["accounts"][BAD]["logDropped"])
    sight.saw()
    await asyncio.sleep(HARM)
    percent = (cpu_ns(ward.daemon.pid) - used) / sight.passed / 1e7
    sight.remark = f"supervisor {percent:.0f} % of a core"
    unmoved(ward, before)
    await replaced(ward, sight)


@fault("endless-line", "100 MB without a line's end, and binary")
async def _endless_line(ward: Ward, sight: Sight) -> None:
    before = ward.incarnation()
    for data, count in ((b"no end " * 2000, 7000), (os.urandom(14_000), 100)):
        await ward.order(f"write {base64.b64encode(data).decode()} {count}")
        await ward.until(lambda status: status["accounts"][BAD]["logDropped"] is not None)
    unmoved(ward, before)


@fault("flood", f"messages as fast as emit allows, for {HARM:g} s")
async def _flood(ward: Ward, sight: Sight) -> None:
    before = ward.incarnation()
    told = asyncio.create_task(ward.order("flood"))
    await asyncio.sleep(HARM)
    await told
    unmoved(ward, before)
    await replaced(ward, sight)
