"""The end of a gateway so that nobody loses a call (DESIGN section 2, "Draining").

Stop accepting; answer what is connected until it is quiet; say ``shutdown``; finish the calls
that are under way; refuse what still comes; close with 1012. What has no answer then has not
been carried out. New clients wait in the backlog for the next gateway. A command line that has
just been let in is about to ask: it is waited for, for it would fail.
"""

from __future__ import annotations

import asyncio

from runtime.gateway.access.listener import Listener
from runtime.gateway.access.scopes import OPERATOR
from runtime.gateway.clients.client import RESTART_MS
from runtime.gateway.gateway import Gateway
from runtime.gateway.hub import Hub

QUIET_SECONDS = 0.05  # without a request
DRAIN_SECONDS = 0.3  # then it is enough, quiet or not
FIRST_CALL_SECONDS = 1.0  # in which one that got in makes its first call, on a busy host
GUEST_SECONDS = 2.0  # then one is no command line that asks a few things and goes
FINISH_SECONDS = 1.5  # for calls that are under way when the drain is over
LEAVE_SECONDS = 0.1  # for those who go on calling to learn that it is over


async def drain(gateway: Gateway) -> None:
    """End ``gateway``; it is closed afterwards."""
    hub = gateway.hub
    hub.start_draining()
    hub.server.stop_accepting()
    await _until_quiet(hub)
    reason = "gateway restarting" if hub.restarting else "gateway stopping"
    expected = {"restartExpectedMs": RESTART_MS} if hub.restarting else {}
    hub.broadcast("shutdown", {"reason": reason} | expected)
    if hub.clients:
        await asyncio.sleep(QUIET_SECONDS)  # what clients sent before they knew is answered
    await hub.jobs.finish(FINISH_SECONDS)
    await _refuse_until_quiet(hub)
    for admission in list(hub.admissions):
        admission.turn_away()
    await gateway.close()


async def _refuse_until_quiet(hub: Hub) -> None:
    """Carry out nothing more, and say so, until nobody asks: then no request crosses our close."""
    hub.leave()
    loop = asyncio.get_running_loop()
    end = loop.time() + LEAVE_SECONDS
    before = -1
    while loop.time() < end and hub.failures != before:
        before = hub.failures
        await asyncio.sleep(LEAVE_SECONDS / 5)


async def _until_quiet(hub: Hub) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + DRAIN_SECONDS
    while loop.time() < end or _about_to_ask(hub):
        before = _asked_by_guests(hub)
        await asyncio.sleep(QUIET_SECONDS)
        asked = any(n > before.get(who, 0) for who, n in _asked_by_guests(hub).items())
        busy = asked or hub.server.undecided or hub.jobs
        if not busy and not _about_to_ask(hub):
            return


def _asked_by_guests(hub: Hub) -> dict[Listener, int]:
    """Return what those who came lately have asked so far: a command line is done in a moment.

    Who has been here for longer may go on asking for ever. It learns from ``shutdown`` that this
    is over, and the sooner it does, the sooner it is served again.
    """
    now = hub.loop.time()
    return {each: each.asked for each in hub.clients if now - each.since < GUEST_SECONDS}


def _about_to_ask(hub: Hub) -> bool:
    """Say whether somebody got in just now and has not asked anything yet."""
    now = hub.loop.time()
    return any(
        client.role == OPERATOR and not client.asked and now - client.since < FIRST_CALL_SECONDS
        for client in hub.clients
    )
