"""Faults of one account: of its process, its code, its messages and its output."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import time

from bench.faults.fault import Observation, fault, left_alone, recovers, replace_target
from bench.faults.rig import GROUP, SLOW_SECONDS, TARGET, FaultRig
from bench.measuring.processes import cpu_ns
from bench.measuring.rows import down, up

LOOP = 10  # crashes in a row that make a crash loop
LATE = "an hour (by default 15 minutes)"  # SLOW_SECONDS, for people
HARM = 4.0  # seconds that a flood or a bomb lasts
BRIEF = 2.0  # seconds; less than any silence that matters


@fault("kill", "kill -9 of a worker")
async def _kill(rig: FaultRig, observed: Observation) -> None:
    before = rig.incarnation()
    rig.kill()
    await recovers(rig, observed, before)


@fault("kill-many", f"kill -9 of {len(GROUP)} workers at once")
async def _kill_many(rig: FaultRig, observed: Observation) -> None:
    before = {key: rig.incarnation(key) for key in rig.group}
    waits = [asyncio.ensure_future(rig.rows.until(key, down)) for key in rig.group]
    await asyncio.sleep(0)  # all of them wait
    for key in rig.group:
        rig.kill(key)
    observed.noticed(max(await asyncio.gather(*waits)))
    await asyncio.gather(*(rig.rows.until(key, up(after=before[key])) for key in rig.group))


@fault("crash-loop", f"kill -9 of a worker, {LOOP} times in a row, then an operator's start")
async def _crash_loop(rig: FaultRig, observed: Observation) -> None:
    for number in range(1, LOOP + 1):
        before = rig.incarnation()
        rig.kill()
        seen = await rig.rows.until(TARGET, lambda row: row["phase"] == "backoff")
        if number < LOOP:
            await rig.rows.until(TARGET, up(after=before))
    observed.noticed(seen)
    row = rig.rows.newest[TARGET]
    left = (row["nextTryAt"] / 1000 - time.time()) / SLOW_SECONDS
    observed.remark = f"{row['failures']} failures, then the next try after {LATE}"
    if not 0.5 < left < 1.5:  # the jitter is less
        raise RuntimeError(f"the next try comes after {left * SLOW_SECONDS:.0f} s")
    before = rig.incarnation()
    await rig.call("start")
    await rig.rows.until(TARGET, up(after=before))


def _ordered(name: str, order: str, injected: str) -> None:
    """Register a fault that the plugin performs on request, and that ends its process."""

    @fault(name, injected)
    async def _commit(rig: FaultRig, observed: Observation) -> None:
        before = rig.incarnation()
        ordered = asyncio.create_task(rig.order(order))
        try:
            await recovers(rig, observed, before)
        finally:
            await ordered


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
async def _stopped_briefly(rig: FaultRig, observed: Observation) -> None:
    before = rig.incarnation()
    rig.kill(TARGET, signal.SIGSTOP)
    await asyncio.sleep(BRIEF)
    rig.kill(TARGET, signal.SIGCONT)
    left_alone(rig, before)
    observed.remark = "left alone, as it should be"


@fault("stopped", "SIGSTOP for ever")
async def _stopped(rig: FaultRig, observed: Observation) -> None:
    before = rig.incarnation()
    rig.kill(TARGET, signal.SIGSTOP)
    await recovers(rig, observed, before)


@fault("deaf", "SIGTERM ignored, then an operator's restart")
async def _deaf(rig: FaultRig, observed: Observation) -> None:
    await rig.order("ignore-term")
    before = rig.incarnation()
    restart = asyncio.create_task(rig.call("restart"))
    await recovers(rig, observed, before)
    await restart


@fault("log-bomb", f"100 MB/s of output for {HARM:g} s")
async def _log_bomb(rig: FaultRig, observed: Observation) -> None:
    before = rig.incarnation()
    used = cpu_ns(rig.daemon.pid)
    await rig.order("bomb 100 1000")
    await rig.until(lambda status: status["accounts"][TARGET]["logDropped"])
    observed.noticed()
    await asyncio.sleep(HARM)
    percent = (cpu_ns(rig.daemon.pid) - used) / observed.passed / 1e7
    observed.remark = f"supervisor {percent:.0f} % of a core"
    left_alone(rig, before)
    await replace_target(rig, observed)


@fault("endless-line", "100 MB without a line's end, and binary")
async def _endless_line(rig: FaultRig, observed: Observation) -> None:
    before = rig.incarnation()
    for data, count in ((b"no end " * 2000, 7000), (os.urandom(14_000), 100)):
        await rig.order(f"write {base64.b64encode(data).decode()} {count}")
        await rig.until(lambda status: status["accounts"][TARGET]["logDropped"] is not None)
    left_alone(rig, before)


@fault("flood", f"messages as fast as emit allows, for {HARM:g} s")
async def _flood(rig: FaultRig, observed: Observation) -> None:
    before = rig.incarnation()
    ordered = asyncio.create_task(rig.order("flood"))
    await asyncio.sleep(HARM)
    await ordered
    left_alone(rig, before)
    await replace_target(rig, observed)
