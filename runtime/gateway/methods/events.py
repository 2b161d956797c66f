"""Subscribes clients to our own events and replays what they missed: ``events.subscribe``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ipc.errors import FrameError, PeerGone, RemoteError
from ipc.frames.cursors import BEGINNING, NEW_ACCOUNTS, Cursor, cursor_text, parse_cursor
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST
from runtime.gateway.access.scopes import READ
from runtime.gateway.accounts.fanout import EVENT, GAP, MESSAGE, OWN_EVENTS, event_frame, event_of
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.journal.interface import PAGE_BYTES
from runtime.gateway.parts import GatewayParts

READ_SECONDS = 30.0  # in which a client reads some of what is sent to it from the journal
READ_PAUSE = 0.005
OPEN_SECONDS = 10.0  # in which a gateway that has just begun opens its journal
REMEMBER_SECONDS = 2.0  # in which accounts send a new gateway the history they have
Key = Annotated[str, Meta(min_length=1, max_length=129)]
SessionKey = Annotated[str, Meta(min_length=1, max_length=512)]
Chosen = frozenset[str] | None  # the accounts of a subscription; ``None``: all


class FigureParams(Params):
    """How often a client is sent the event ``channel.figures``; workers beat every 5 seconds."""

    every_ms: Annotated[int, Meta(ge=1000, le=60_000)] = 5000


class SubscribeParams(Params):
    """The params of ``events.subscribe``: ``accounts`` and ``events`` absent mean all.

    ``cursors`` holds the last cursor seen of each account, or where the last subscription began:
    what came after it is sent before anything new. ``*`` stands for accounts that are not named.
    ``runs`` are the sessions whose events ``agent`` and ``chat`` are sent: ``True`` means those of
    all, as before any choice; absent it changes nothing. So it is with ``figures``, whether and how
    often ``channel.figures`` is sent (before any choice: not at all), and with ``health``, whether
    changes of the health are (before any choice: yes).
    """

    accounts: list[Key] | None = None
    events: list[str] | None = None
    cursors: dict[Key, Annotated[str, Meta(max_length=41)]] = {}
    runs: bool | list[SessionKey] | None = None
    figures: bool | FigureParams | None = None
    health: bool | None = None


@method("events.subscribe", READ, SubscribeParams, ours=True)
async def events_subscribe(
    parts: GatewayParts, client: ConnectedClient, params: SubscribeParams
) -> Any:
    """Subscribe to our events, replacing earlier subscriptions; events after `cursors` are sent
    first. `gaps` names the accounts of which more is missing, as does the event `channel.gap`. The
    answer's `cursors` are where the following events begin: send them with the next subscription if
    nothing newer was received. With `runs` the events `agent` and `chat` are sent for those
    sessions only, or not at all (`false`). With `figures` (`true`, `{everyMs}`) the event
    `channel.figures` is sent at once and then every 5 s, or as often as requested; with `health:
    false` the event `health` is not sent.
    """
    _choose_runs(parts, client, params.runs)
    _choose_figures(parts, client, params.figures)
    if params.health is not None:
        parts.hub.choose_health(client, params.health)
    events = OWN_EVENTS if params.events is None else frozenset(params.events)
    if unknown := events - OWN_EVENTS:
        raise RemoteError(INVALID_REQUEST, f"invalid events.subscribe event: {min(unknown)[:128]}")
    try:
        cursors = {key: parse_cursor(text) for key, text in params.cursors.items()}
    except FrameError as error:
        raise RemoteError(INVALID_REQUEST, f"invalid events.subscribe params: {error}") from None
    chosen = None if params.accounts is None else frozenset(params.accounts)
    if not events & {MESSAGE, EVENT}:
        chosen = frozenset()
    began = _pause(parts, client, chosen) if cursors else {}
    await _accounts_known(parts, chosen)
    if client not in parts.hub.clients:
        raise PeerGone("the client", maybe_executed=False)
    asked = began | _asked(parts, chosen, cursors)
    reached = [_Reached(key, events, cursor, cursor) for key, cursor in asked.items()]
    for each in reached:
        if parts.positions.is_beyond(each.key, each.cursor):
            each.lacks(client, None)
    await _replay_stored(parts, client, reached)
    parts.fanout.subscribe(client, params.accounts, events)
    for each in reached:
        _replay(parts, client, each)
    return {
        "ok": True,
        "events": sorted(events),
        "replayed": sum(each.sent for each in reached),
        "gaps": [each.key for each in reached if not each.complete],
        "cursors": _positions(parts, chosen, asked),
    }


def _choose_runs(
    parts: GatewayParts, client: ConnectedClient, runs: bool | list[str] | None
) -> None:
    """Apply the selection of sessions whose runs a client wants to see."""
    if runs is None:
        return
    keys = [] if isinstance(runs, bool) else [parts.asking.key_in(each) for each in runs]
    chosen = None if runs is True else keys
    parts.broadcast.choose(client, chosen)


def _choose_figures(
    parts: GatewayParts, client: ConnectedClient, wanted: bool | FigureParams | None
) -> None:
    """Apply the interval at which a client wants the figures of all accounts."""
    if wanted is True:
        wanted = FigureParams()
    if wanted:
        parts.figures.streams.subscribe(client, wanted.every_ms)
    elif wanted is False:
        parts.figures.unsubscribe(client)


def _pause(parts: GatewayParts, client: ConnectedClient, chosen: Chosen) -> dict[str, Cursor]:
    """Pause a client's subscription: new events must not come before missed ones.

    Return where it ended, as far as a client had one and that is known.
    """
    parts.fanout.flush()  # what is pending belongs to the time before
    if not parts.fanout.unsubscribe(client):
        return {}
    keys = parts.accounts.rows if chosen is None else chosen
    return {key: cursor for key in keys if (cursor := parts.positions.of(key)) is not None}


async def _accounts_known(parts: GatewayParts, chosen: Chosen) -> None:
    """Wait until the positions of the chosen accounts are known, as far as possible.

    A gateway that has just begun may not have met the accounts yet, nor opened its journal.
    """
    keys = [key for key in parts.accounts.rows if chosen is None or key in chosen]
    await parts.peers.remembered(
        [key for key in keys if not parts.intake.is_on(key)], REMEMBER_SECONDS
    )
    if any(map(parts.intake.is_on, keys)):
        await parts.intake.opened(OPEN_SECONDS)


def _asked(parts: GatewayParts, chosen: Chosen, cursors: dict[str, Cursor]) -> dict[str, Cursor]:
    """Return the cursors after which to send, by account."""
    others = cursors.pop(NEW_ACCOUNTS, None)
    if chosen is not None:
        return {key: cursor for key, cursor in cursors.items() if key in chosen}
    if others is None:
        return cursors
    return dict.fromkeys(parts.accounts.rows, others) | cursors


def _positions(parts: GatewayParts, chosen: Chosen, asked: Iterable[str]) -> dict[str, str]:
    """Return the cursors at which the subscription begins, by account; ``*``: future accounts."""
    positions = parts.positions
    keys = {*positions.known(), *asked} if chosen is None else chosen
    found = {key: cursor for key in keys if (cursor := positions.of(key)) is not None}
    if chosen is None and positions.complete:
        found[NEW_ACCOUNTS] = BEGINNING
    return {key: cursor_text(cursor) for key, cursor in found.items()}


class _Reached(msgspec.Struct):
    """The progress of a replay of one account to a client, from the requested cursor ``after``.

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
        """Send the subscribed ones of some payloads to the client."""
        told = [
            (event, payload) for payload in payloads if (event := event_of(payload)) in self.events
        ]
        if told:
            client.connection.send_framed(b"".join(event_frame(*each) for each in told))
            self.sent += len(told)

    def lacks(self, client: ConnectedClient, oldest: Cursor | None) -> None:
        """Send the client a gap: events before ``oldest`` are missing."""
        self.complete = False
        gap = {"account": self.key, "after": cursor_text(self.after)}
        if oldest is not None:
            gap["oldest"] = cursor_text(oldest)
        client.send_unnumbered(GAP, gap)


async def _replay_stored(
    parts: GatewayParts, client: ConnectedClient, wanted: list[_Reached]
) -> None:
    """Send stored events that are no longer in the rings, as fast as the client reads."""
    while behind := [each for each in wanted if _is_behind(parts, each)]:
        for each in behind:
            await _send_page(parts, client, each)
            await _read_by(client)
        if client not in parts.hub.clients:
            raise PeerGone("the client", maybe_executed=False)


def _is_behind(parts: GatewayParts, reached: _Reached) -> bool:
    """Return whether the journal has events that precede those in the ring."""
    place = parts.intake.stored_place(reached.key)
    if place is None or parts.rings.reaches(reached.key, reached.cursor):
        return False
    return not reached.read or place.newest > reached.cursor


async def _send_page(parts: GatewayParts, client: ConnectedClient, reached: _Reached) -> None:
    journal, place = parts.intake.journal, parts.intake.stored_place(reached.key)
    if journal is None or place is None:
        return
    page = await journal.after(reached.key, reached.cursor)
    if not reached.read:
        reached.read = True
        if reached.complete and not page.complete:
            first = page.parts[0] if page.parts else None
            reached.lacks(client, None if first is None else (first[0], first[2].first))
    for incarnation, _, part in page.parts:
        reached.send(client, part.payloads)
        reached.cursor = incarnation, part.last
    if not page.more:
        reached.cursor = max(reached.cursor, place.newest)  # what ends it may be repeated messages


async def _read_by(client: ConnectedClient) -> None:
    """Wait at most ``READ_SECONDS`` until a client has read most of what was sent to it."""
    loop = asyncio.get_running_loop()
    end = loop.time() + READ_SECONDS
    while client.connection.buffered_bytes > PAGE_BYTES and loop.time() < end:  # noqa: ASYNC110 - a connection reports no such change
        await asyncio.sleep(READ_PAUSE)


def _replay(parts: GatewayParts, client: ConnectedClient, reached: _Reached) -> None:
    """Send the following events from the ring."""
    payloads, complete = parts.rings.after(reached.key, reached.cursor)
    complete = complete or parts.positions.of(reached.key) == reached.cursor
    if not complete and not reached.read and reached.complete:
        reached.lacks(client, parts.rings.oldest(reached.key))
    reached.send(client, payloads)
