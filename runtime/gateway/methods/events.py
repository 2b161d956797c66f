"""Subscribes clients to our own events and replays what they missed: ``events.subscribe``."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ipc.errors import FrameError, PeerGone, RemoteError
from ipc.frames.cursors import Cursor, parse_cursor
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST
from runtime.gateway.access.scopes import READ
from runtime.gateway.accounts.fanout import EVENT, GAP, MESSAGE, OWN_EVENTS, event_frame, event_of
from runtime.gateway.accounts.ring import Rings
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.journal.interface import PAGE_BYTES
from runtime.gateway.parts import GatewayParts

READ_SECONDS = 30.0  # in which a client reads some of what is sent to it from the journal
READ_PAUSE = 0.005
OPEN_SECONDS = 10.0  # in which a gateway that has just begun opens its journal
REMEMBER_SECONDS = 2.0  # in which accounts send a new gateway the history they have
Key = Annotated[str, Meta(min_length=1, max_length=129)]


class SubscribeParams(Params):
    """The params of ``events.subscribe``: ``accounts`` and ``events`` absent mean all.

    ``cursors`` holds the last cursor seen of each account: what came after it is sent before
    anything new.
    """

    accounts: list[Key] | None = None
    events: list[str] | None = None
    cursors: dict[Key, Annotated[str, Meta(max_length=41)]] = {}


@method("events.subscribe", READ, SubscribeParams, ours=True)
async def events_subscribe(
    parts: GatewayParts, client: ConnectedClient, params: SubscribeParams
) -> Any:
    """Subscribe to our events, replacing what was subscribed; what came after `cursors` is sent
    first. `gaps` names the accounts of which more is missing, as does the event `channel.gap`.
    """
    events = OWN_EVENTS if params.events is None else frozenset(params.events)
    if unknown := events - OWN_EVENTS:
        raise RemoteError(INVALID_REQUEST, f"invalid events.subscribe event: {min(unknown)[:128]}")
    try:
        cursors = {key: parse_cursor(text) for key, text in params.cursors.items()}
    except FrameError as error:
        raise RemoteError(INVALID_REQUEST, f"invalid events.subscribe params: {error}") from None
    wanted = [key for key in cursors if params.accounts is None or key in params.accounts]
    if not events & {MESSAGE, EVENT}:
        wanted = []
    # A gateway that has just begun may not have met the accounts yet.
    await parts.peers.remembered(wanted, REMEMBER_SECONDS)
    if any(map(parts.intake.is_on, wanted)):
        await parts.intake.opened(OPEN_SECONDS)
    if client not in parts.hub.clients:
        raise PeerGone("the client", maybe_executed=False)
    reached = [_Reached(key, events, cursors[key], cursors[key]) for key in wanted]
    await _replay_stored(parts, client, reached)
    parts.fanout.subscribe(client, params.accounts, events)
    for each in reached:
        _replay(parts.rings, client, each)
    gaps = [each.key for each in reached if not each.complete]
    replayed = sum(each.sent for each in reached)
    return {"ok": True, "events": sorted(events), "replayed": replayed, "gaps": gaps}


class _Reached(msgspec.Struct):
    """How far a client has got with an account since ``after``, which it asked for.

    ``read``: some of it came from the journal. ``complete``: nothing was missing.
    """

    key: str
    events: frozenset[str]
    after: Cursor
    cursor: Cursor
    read: bool = False
    complete: bool = True
    sent: int = 0

    def send(self, client: ConnectedClient, payloads: list[bytes]) -> None:
        """Send what of it the client has subscribed to."""
        told = [
            (event, payload) for payload in payloads if (event := event_of(payload)) in self.events
        ]
        if told:
            client.connection.send_framed(b"".join(event_frame(*each) for each in told))
            self.sent += len(told)

    def lacks(self, client: ConnectedClient, oldest: Cursor | None) -> None:
        """Tell the client that something is missing before ``oldest``."""
        self.complete = False
        gap = {"account": self.key, "after": f"{self.after[0]}:{self.after[1]}"}
        if oldest is not None:
            gap["oldest"] = f"{oldest[0]}:{oldest[1]}"
        client.send_unnumbered(GAP, gap)


async def _replay_stored(
    parts: GatewayParts, client: ConnectedClient, wanted: list[_Reached]
) -> None:
    """Send from the journal what the rings do not reach back to, as fast as the client reads."""
    while behind := [each for each in wanted if _is_behind(parts, each)]:
        parts.fanout.unsubscribe(client)  # nothing new may come in between
        for each in behind:
            await _send_page(parts, client, each)
            await _read_by(client)
        if client not in parts.hub.clients:
            raise PeerGone("the client", maybe_executed=False)


def _is_behind(parts: GatewayParts, reached: _Reached) -> bool:
    """Return whether the journal has something to send before the ring goes on."""
    place = parts.intake.place(reached.key)
    if place is None or parts.rings.reaches(reached.key, reached.cursor):
        return False
    return not reached.read or place.newest > reached.cursor


async def _send_page(parts: GatewayParts, client: ConnectedClient, reached: _Reached) -> None:
    journal, place = parts.intake.journal, parts.intake.place(reached.key)
    if journal is None or place is None:
        return
    page = await journal.after(reached.key, reached.cursor)
    if not reached.read:
        reached.read = True
        if not page.complete:
            first = page.parts[0] if page.parts else None
            reached.lacks(client, None if first is None else (first[0], first[2].first))
    for incarnation, _, part in page.parts:
        reached.send(client, part.payloads)
        reached.cursor = incarnation, part.last
    if not page.more:
        reached.cursor = max(reached.cursor, place.newest)  # what ends it may be repeated messages


async def _read_by(client: ConnectedClient) -> None:
    """Wait until a client has read most of what was sent to it, at most ``READ_SECONDS``."""
    loop = asyncio.get_running_loop()
    end = loop.time() + READ_SECONDS
    while client.connection.buffered_bytes > PAGE_BYTES and loop.time() < end:  # noqa: ASYNC110 - a connection reports no such change
        await asyncio.sleep(READ_PAUSE)


def _replay(rings: Rings, client: ConnectedClient, reached: _Reached) -> None:
    """Send from the ring what follows."""
    payloads, complete = rings.after(reached.key, reached.cursor)
    if not complete and not reached.read:
        reached.lacks(client, rings.oldest(reached.key))
    reached.send(client, payloads)
