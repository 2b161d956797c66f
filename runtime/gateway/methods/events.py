"""Subscribes clients to our own events and replays what they missed: ``events.subscribe``."""

from __future__ import annotations

from typing import Annotated, Any

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
from runtime.gateway.parts import GatewayParts

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
    if client not in parts.hub.clients:
        raise PeerGone("the client", maybe_executed=False)
    parts.fanout.subscribe(client, params.accounts, events)
    found = [_replay(parts.rings, client, key, cursors[key], events) for key in wanted]
    gaps = [key for key, (_, complete) in zip(wanted, found, strict=True) if not complete]
    replayed = sum(count for count, _ in found)
    return {"ok": True, "events": sorted(events), "replayed": replayed, "gaps": gaps}


def _replay(
    rings: Rings, client: ConnectedClient, key: str, cursor: Cursor, events: frozenset[str]
) -> tuple[int, bool]:
    """Send what came after ``cursor``; return how many events, and whether that is all."""
    payloads, complete = rings.after(key, cursor)
    if not complete:
        gap = {"account": key, "after": f"{cursor[0]}:{cursor[1]}"}
        oldest = rings.oldest(key)
        if oldest is not None:
            gap["oldest"] = f"{oldest[0]}:{oldest[1]}"
        client.send_unnumbered(GAP, gap)
    told = [(event, payload) for payload in payloads if (event := event_of(payload)) in events]
    if told:
        client.connection.send_framed(b"".join(event_frame(*each) for each in told))
    return len(told), complete
