"""Ends a gateway so that no client loses a call.

Stop accepting; answer what is connected until it is quiet; send ``shutdown``; finish the calls
that are under way; refuse what still comes; close with 1012. A request without an answer has
not been carried out then. New clients wait in the backlog for the next gateway. A command line
that has just been admitted is about to make a request that would fail: the drain waits for it.
"""

from __future__ import annotations

import asyncio

from runtime.gateway.access.client_view import ClientView
from runtime.gateway.access.scopes import OPERATOR
from runtime.gateway.clients.client import RESTART_MS
from runtime.gateway.gateway import Gateway
from runtime.gateway.hub import Hub
from runtime.gateway.parts import GatewayParts

QUIET_SECONDS = 0.05  # without a request, it is quiet
DRAIN_SECONDS = 0.3  # at most, until ``shutdown`` is sent
FIRST_CALL_SECONDS = 1.0  # in which an admitted client makes its first call, on a busy host
GUEST_SECONDS = 2.0  # for which a client may be a command line that asks a few things and ends
FINISH_SECONDS = 1.5  # for calls that are under way when the drain is over
HTTP_SECONDS = 1.0  # for HTTP requests to accounts; those that are cut their senders send again
LEAVE_SECONDS = 0.1  # for the refusals of clients that go on calling


async def drain(gateway: Gateway) -> None:
    """Drain ``gateway``, then close it."""
    parts = gateway.parts
    hub, readiness = parts.hub, parts.readiness
    readiness.start_draining()
    parts.outbox.stop_accepting()
    gateway.stop_accepting()
    await _until_quiet(parts)
    reason = "gateway restarting" if readiness.restarting else "gateway stopping"
    expected = {"restartExpectedMs": RESTART_MS} if readiness.restarting else {}
    hub.broadcast("shutdown", {"reason": reason} | expected)
    if hub.clients:
        await asyncio.sleep(QUIET_SECONDS)  # what clients sent before the event is answered
    await parts.http_calls.finish(HTTP_SECONDS)
    await parts.jobs.finish(FINISH_SECONDS)
    readiness.stop_serving()
    await _until_none_is_refused(hub)
    readiness.turn_away_waiting()
    await gateway.close()


async def _until_none_is_refused(hub: Hub) -> None:
    """Wait until no request comes that is refused: then none crosses our close."""
    loop = asyncio.get_running_loop()
    end = loop.time() + LEAVE_SECONDS
    before = -1
    while loop.time() < end and hub.failures != before:
        before = hub.failures
        await asyncio.sleep(LEAVE_SECONDS / 5)


async def _until_quiet(parts: GatewayParts) -> None:
    hub, server, jobs = parts.hub, parts.server, parts.jobs
    loop = asyncio.get_running_loop()
    end = loop.time() + DRAIN_SECONDS
    while loop.time() < end or _about_to_ask(hub):
        before = _guest_requests(hub)
        await asyncio.sleep(QUIET_SECONDS)
        asked = any(n > before.get(client, 0) for client, n in _guest_requests(hub).items())
        busy = asked or server.undecided or jobs or parts.http_calls
        if not busy and not _about_to_ask(hub):
            return


def _guest_requests(hub: Hub) -> dict[ClientView, int]:
    """Return how many requests each new client has made: a command line is soon done.

    A client that has been connected for longer may go on asking for ever. ``shutdown`` sends it
    to the next gateway, and the sooner it gets there, the sooner it is served again.
    """
    now = asyncio.get_running_loop().time()
    return {each: each.asked for each in hub.clients if now - each.since < GUEST_SECONDS}


def _about_to_ask(hub: Hub) -> bool:
    """Return whether a client has just been admitted and has not asked anything yet."""
    now = asyncio.get_running_loop().time()
    return any(
        client.role == OPERATOR and not client.asked and now - client.since < FIRST_CALL_SECONDS
        for client in hub.clients
    )
