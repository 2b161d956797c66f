"""The end of a gateway so that nobody loses a call (DESIGN section 2, "Draining").

Stop accepting; answer what is connected until it is quiet; say ``shutdown``; finish the calls
that are under way; close with 1012. New clients wait in the backlog for the next gateway.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.gateway.gateway import Gateway

QUIET_SECONDS = 0.05  # without a request
DRAIN_SECONDS = 0.3  # then it is enough, quiet or not
FINISH_SECONDS = 1.5  # for calls that are under way when the drain is over
RESTART_MS = 500  # told to clients; a restart takes less


async def drain(gateway: Gateway) -> None:
    """End ``gateway``; it is closed afterwards."""
    gateway.draining = True
    gateway.server.stop_accepting()
    await _until_quiet(gateway)
    reason = "gateway restarting" if gateway.restarting else "gateway stopping"
    expected = {"restartExpectedMs": RESTART_MS} if gateway.restarting else {}
    gateway.broadcast("shutdown", {"reason": reason} | expected)
    if gateway.clients:
        await asyncio.sleep(QUIET_SECONDS)  # what clients sent before they knew is answered
    await gateway.jobs.finish(FINISH_SECONDS)
    for admission in list(gateway.admissions):
        admission.turn_away()
    await gateway.close()


async def _until_quiet(gateway: Gateway) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + DRAIN_SECONDS
    while loop.time() < end:
        before = gateway.requests
        await asyncio.sleep(QUIET_SECONDS)
        if gateway.requests == before and not gateway.server.undecided and not gateway.jobs:
            return
