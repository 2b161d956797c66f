"""Measures the cost of an idle connected client."""

from __future__ import annotations

import asyncio

from bench.load.native import load
from bench.measuring.figures import table
from bench.measuring.processes import pss_bytes
from bench.questions.question import Found, Plan, Question
from bench.systems.node_ws import Node, package
from bench.systems.product import Product
from bench.systems.system import System


async def _ask(plan: Plan) -> Found:
    clients = 1000 if plan.thorough else 300
    found: dict[str, float] = {}
    systems: list[System] = [Product(1)]
    if package() is not None:
        systems.append(Node())
    for system in systems:
        await system.start()
        try:
            found[system.name] = await _each_kib(system, clients)
        finally:
            await system.stop()
    return {"clients": clients, "kibEach": found}


async def _each_kib(system: System, clients: int) -> float:
    gateway = system.processes().gateway[0]
    entry = system.entry()
    async with load("idle", entry.port, entry.words(), clients=20):
        await asyncio.sleep(0.3)  # what the first clients cause for all of them
    await asyncio.sleep(0.5)
    before = pss_bytes(gateway)
    async with load("idle", entry.port, entry.words(), clients=clients) as running:
        running.go()
        await asyncio.sleep(2.5)  # presence is sent once a second
        return (pss_bytes(gateway) - before) / 1024 / clients


def _report(found: Found) -> str:
    rows = [(name, f"{kib:.1f}") for name, kib in found["kibEach"].items()]
    return table((f"{found['clients']} idle clients", "KiB each in the gateway"), rows)


question = Question("Memory of idle clients", _ask, _report)
