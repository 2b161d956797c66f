"""Measures an answer's costs in the account's worker, the gateway and the agent's worker.

People at accounts of ``local``, with a journal, ask agents of each kind that answer at once: a fake
model, a program and a server of this host. One asks at a time, so that the latency is the way's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiohttp import web

from bench.measuring.disk import DiskProbe
from bench.measuring.figures import percentile, short, table
from bench.measuring.processes import cpu_ns, pss_bytes, until_quiet
from bench.questions.question import Found, Plan, Question
from bench.tied import TiedDaemon
from ipc.frames.websocket import Event
from tests.support import session_crowd
from tests.support.daemon import Daemon
from tests.support.person import talking
from tests.support.short_directory import ShortDirectory
from tests.support.until import PATIENCE
from workers.testing.fakes.model import fake_model

COMMITS = 3  # that an answer waits for, as the specification counts them
KINDS = ("echo", "openai", "command", "http")
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="
STREAM = b"""data: {"type":"delta","text":"pong"}

data: {"type":"final","stopReason":"stop"}

"""
LINES = '{"type": "delta", "text": "pong"}\\n{"type": "final"}\\n'
CROWD = 1000


async def _ask(plan: Plan) -> Found:
    rounds, each = (plan.rounds, 100) if plan.thorough else (2, 20)
    found: Found = {"rounds": rounds, "answers": each, "kinds": {}}
    async with _daemon() as (daemon, place):
        pids = await _pids(daemon)
        await until_quiet(list(pids.values()), windows=1)
        idle = {kind: pss_bytes(pids[f"agent:{kind}"]) / 2**20 for kind in KINDS}
        for kind in KINDS:
            await _answers(daemon, kind, 3)  # what the first one causes
        for _ in range(rounds):
            for kind in KINDS:
                disk = DiskProbe(place)
                disk.start()
                one = await _measure(daemon, pids, kind, each)
                one["fsyncMs"] = disk.end() * 1e3
                found["kinds"].setdefault(kind, []).append(one)
        found["idleMib"] = idle
    if plan.thorough:
        found["crowd"] = await _crowd()
    return found


async def _measure(daemon: Daemon, pids: dict[str, int], kind: str, count: int) -> Found:
    """Ask one kind of agent ``count`` times; return milliseconds, and CPU per answer by process."""
    keys = {"gateway": "gateway", "account": f"local:{kind}", "agent": f"agent:{kind}"}
    before = {name: cpu_ns(pids[key]) for name, key in keys.items()}
    spent, first = await _answers(daemon, kind, count)
    used = {name: (cpu_ns(pids[key]) - before[name]) / 1e3 / count for name, key in keys.items()}
    return {
        "p50Ms": percentile(spent, 0.5) * 1e3,
        "p99Ms": percentile(spent, 0.99) * 1e3,
        "firstMs": percentile(first, 0.5) * 1e3 if first else None,
        "cpuUs": used,
    }


async def _answers(daemon: Daemon, kind: str, count: int) -> tuple[list[float], list[float]]:
    """Return the seconds until each answer, and until a client saw its first words."""
    spent: list[float] = []
    first: list[float] = []
    asked = 0.0
    seen = True

    def take(event: Event) -> None:
        nonlocal seen
        if event.event == "agent" and not seen and b'"assistant"' in bytes(event.payload or b""):
            seen = True
            first.append(time.monotonic() - asked)

    async with await daemon.client(caps=(), on_event=take), talking(daemon, kind) as person:
        for number in range(count):
            asked, seen = time.monotonic(), False
            person.says(f"line {number}")
            async with asyncio.timeout(PATIENCE):
                await person.hears(1)
            spent.append(time.monotonic() - asked)
    return spent, first


async def _pids(daemon: Daemon) -> dict[str, int]:
    """Wait until everything runs; return its processes by key, and ``gateway``."""

    def runs(status: dict[str, Any]) -> bool:
        rows = [*status["accounts"].values(), *status["agents"]]
        return all(row["phase"] == "running" and row["pid"] for row in rows)

    status = await daemon.wait(runs)
    rows = [*status["accounts"].values(), *status["agents"]]
    return {row["account"]: row["pid"] for row in rows} | {"gateway": status["gateway"]["pid"]}


@asynccontextmanager
async def _daemon() -> AsyncIterator[tuple[TiedDaemon, Any]]:
    """Run a daemon with an agent of each kind, an account for each, and what they ask."""
    async with AsyncExitStack() as stack:
        place = stack.enter_context(ShortDirectory())
        model = await stack.enter_async_context(fake_model())
        url = await stack.enter_async_context(_server())
        entries: dict[str, Any] = {
            "echo": {"kind": "echo"},
            "openai": {"kind": "openai", "model": "fake-1", "baseUrl": model.base},
            "command": {"kind": "command", "command": ["printf", LINES], "output": "jsonl"},
            "http": {"kind": "http", "url": url, "secret": SECRET, "allowPrivate": True},
        }
        accounts = {kind: {"agent": kind, "journal": "on"} for kind in KINDS}
        config = {
            "agents": {"default": "echo", "entries": entries},
            "channels": {"local": {"accounts": accounts}},
        }
        daemon = TiedDaemon(place, config)
        stack.push_async_callback(daemon.__aexit__)
        await daemon.start()
        yield daemon, place


@asynccontextmanager
async def _server() -> AsyncIterator[str]:
    """Serve an endpoint for agents of kind ``http``; yield its address."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        return web.Response(body=STREAM, content_type="text/event-stream")

    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/turn"
    finally:
        await runner.cleanup()


async def _crowd() -> Found:
    """Ask one agent in a thousand sessions; it answers only after all have asked."""
    with ShortDirectory() as place:
        site = session_crowd.install(place / "site")
        config = session_crowd.crowd_config(CROWD, CROWD)
        daemon = TiedDaemon(place, config, site=str(site))
        try:
            await daemon.start()
            gateway = (await _pids(daemon))["gateway"]
            async with session_crowd.crowd(daemon, CROWD) as people:
                before, cpu = pss_bytes(gateway), cpu_ns(gateway)
                heard = await session_crowd.all_talk(people)
                more, used = pss_bytes(gateway) - before, cpu_ns(gateway) - cpu
        finally:
            await daemon.__aexit__()
    turns = CROWD * len(session_crowd.LINES)
    return {
        "sessions": CROWD,
        "turns": turns,
        "seconds": heard.seconds,
        "wrong": len(heard.wrong),
        "moreMib": more / 2**20,
        "gatewayUs": used / 1e3 / turns,
    }


def _report(found: Found) -> str:
    rows = []
    for kind, rounds in found["kinds"].items():

        def middle(*path: str, rounds: Any = rounds) -> float | None:
            values = []
            for one in rounds:
                value: Any = one
                for name in path:
                    value = value[name]
                values.append(value)
            known = [each for each in values if each is not None]
            return percentile(known, 0.5) if known else None

        p50, fsync = middle("p50Ms") or 0.0, middle("fsyncMs") or 0.0
        first = middle("firstMs")
        cpu = [short(middle("cpuUs", name) or 0.0) for name in ("gateway", "account", "agent")]
        rows.append(
            (
                kind,
                f"{short(p50)} / {short(middle('p99Ms') or 0.0)}",
                f"{fsync:.2f}",
                f"{p50 - COMMITS * fsync:.2f}",
                "–" if first is None else short(first),
                " / ".join(cpu),
                f"{found['idleMib'][kind]:.1f}",
            )
        )
    head = (
        "kind", "answer p50 / p99 ms", "fsync p50 ms", f"p50 beyond {COMMITS} × fsync, ms",
        "first words ms", "CPU µs per answer: gateway / account / agent", "idle agent, MiB PSS",
    )  # fmt: skip
    text = table(head, rows)
    if (crowd := found.get("crowd")) is not None:
        text += (
            f"\n\n{crowd['sessions']:,} sessions with a turn at once: {crowd['turns']:,} turns in"
            f" {crowd['seconds']:.1f} s, {crowd['wrong']} answered wrongly,"
            f" {crowd['gatewayUs']:.0f} µs of the gateway each, {crowd['moreMib']:+.1f} MiB there."
        )
    return text


question = Question("Agents: what an answer costs on its way", _ask, _report, quick=False)
