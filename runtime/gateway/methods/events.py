"""Subscribes clients to our own events and replays what they missed: ``events.subscribe``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Annotated, Any

import structlog
from msgspec import Meta

from ipc.errors import FrameError, PeerGone, RemoteError
from ipc.frames.cursors import BEGINNING, NEW_ACCOUNTS, Cursor, cursor_text, parse_cursor
from ipc.frames.requests import MAX_KEYS, Params
from ipc.frames.status import AccountStatus
from ipc.frames.words import INVALID_REQUEST
from runtime.gateway.access.scopes import READ
from runtime.gateway.accounts.fanout import EVENT, MESSAGE, OWN_EVENTS
from runtime.gateway.accounts.replay import Replay
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import TEXT_BYTES, method
from runtime.gateway.parts import GatewayParts
from runtime.gateway.reports import changes

OPEN_SECONDS = 10.0  # in which a gateway that has just begun opens its journal
REMEMBER_SECONDS = 2.0  # in which accounts send a new gateway the history they have
MOST_EVENTS = 64
Key = Annotated[str, Meta(min_length=1, max_length=129)]
SessionKey = Annotated[str, Meta(min_length=1, max_length=512)]
Chosen = frozenset[str] | None  # the accounts of a subscription; ``None``: all

log = structlog.get_logger("gateway.events")


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

    accounts: Annotated[list[Key], Meta(max_length=MAX_KEYS)] | None = None
    events: Annotated[list[str], Meta(max_length=MOST_EVENTS)] | None = None
    cursors: Annotated[
        dict[Key, Annotated[str, Meta(max_length=41)]], Meta(max_length=MAX_KEYS)
    ] = {}
    runs: bool | Annotated[list[SessionKey], Meta(max_length=MAX_KEYS)] | None = None
    figures: bool | FigureParams | None = None
    health: bool | None = None

    def chosen_events(self) -> frozenset[str]:
        """Return the names of the events; raises ``RemoteError`` for an unknown one."""
        events = OWN_EVENTS if self.events is None else frozenset(self.events)
        if unknown := events - OWN_EVENTS:
            text = f"invalid events.subscribe event: {min(unknown)[:128]}"
            raise RemoteError(INVALID_REQUEST, text)
        return events

    def parsed_cursors(self) -> dict[str, Cursor]:
        """Return the cursors by account; raises ``RemoteError`` for a malformed one."""
        try:
            return {key: parse_cursor(text) for key, text in self.cursors.items()}
        except FrameError as error:
            text = f"invalid events.subscribe params: {error}"
            raise RemoteError(INVALID_REQUEST, text) from None


@method("events.subscribe", READ, SubscribeParams, ours=True, most_bytes=TEXT_BYTES)
async def events_subscribe(
    parts: GatewayParts, client: ConnectedClient, params: SubscribeParams
) -> Any:
    """Subscribe to our events, replacing earlier subscriptions. Events after `cursors` are sent
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
    events, cursors = params.chosen_events(), params.parsed_cursors()
    chosen = None if params.accounts is None else frozenset(params.accounts)
    if not events & {MESSAGE, EVENT}:
        chosen = frozenset()
    async with parts.replays.in_order(client):
        rows = parts.accounts.every_row() if cursors else None
        postponed = parts.replays.pop_postponed(client)
        began = _pause(parts, client, chosen) | postponed if cursors else {}
        await _accounts_known(parts, chosen)
        asked = _of_chosen(chosen, began) | _asked(parts, chosen, cursors)
        replay = await _replay(parts, client, params.accounts, events, asked, rows)
        return {
            "ok": True,
            "events": sorted(events),
            "replayed": replay.sent,
            "gaps": replay.gaps,
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


async def _replay(
    parts: GatewayParts,
    client: ConnectedClient,
    accounts: list[str] | None,
    events: frozenset[str],
    asked: Mapping[str, Cursor],
    rows: Mapping[str, AccountStatus] | None,
) -> Replay:
    """Send a client what it missed, and begin its subscription; return the replay.

    ``rows`` are those of its accounts where an earlier subscription was paused.
    """
    replay = parts.replays.of(client, events, asked)

    def subscribe() -> None:
        if rows is not None:
            _send_changes(parts, client, rows, accounts, events)
        if unread := replay.unread:
            parts.replays.postpone(client, unread, partial(_resume, parts, accounts, events))
        parts.fanout.subscribe(client, accounts, events)

    await replay.run(subscribe)
    return replay


def _resume(
    parts: GatewayParts,
    accounts: list[str] | None,
    events: frozenset[str],
    client: ConnectedClient,
    after: dict[str, Cursor],
) -> None:
    """Pause a subscription and send what came ``after`` some cursors: the journal can be read."""
    rows = parts.accounts.every_row()
    began = _pause(parts, client, None if accounts is None else frozenset(accounts))

    async def resume() -> None:
        try:
            async with parts.replays.in_order(client):
                await _replay(parts, client, accounts, events, began | after, rows)
        except PeerGone:
            pass
        except Exception as error:  # it subscribes anew when it has reconnected
            log.error("missed events could not be sent", exc_info=error)
            client.connection.close(1011, "missed events could not be sent")

    parts.jobs.start(resume())


def _send_changes(
    parts: GatewayParts,
    client: ConnectedClient,
    before: Mapping[str, AccountStatus],
    accounts: list[str] | None,
    events: frozenset[str],
) -> None:
    """Send what has become of accounts while the subscription of a client was paused."""
    for key, event, payload in changes(before, parts.accounts.every_row()):
        if event in events and (accounts is None or key in accounts):
            client.send_unnumbered(event, payload)


async def _accounts_known(parts: GatewayParts, chosen: Chosen) -> None:
    """Wait until the positions of the chosen accounts are known, as far as possible.

    A gateway that has just begun may not have met the accounts yet, nor opened its journal.
    """
    keys = [key for key in parts.accounts.rows if chosen is None or key in chosen]
    await parts.peers.wait_for_history(
        [key for key in keys if not parts.intake.is_on(key)], REMEMBER_SECONDS
    )
    if any(map(parts.intake.is_on, keys)):
        await parts.intake.wait_until_open(OPEN_SECONDS)


def _asked(parts: GatewayParts, chosen: Chosen, cursors: dict[str, Cursor]) -> dict[str, Cursor]:
    """Return the cursors after which to send, by account."""
    others = cursors.pop(NEW_ACCOUNTS, None)
    if chosen is not None:
        return _of_chosen(chosen, cursors)
    if others is None:
        return cursors
    return dict.fromkeys(parts.accounts.rows, others) | cursors


def _of_chosen(chosen: Chosen, cursors: dict[str, Cursor]) -> dict[str, Cursor]:
    if chosen is None:
        return cursors
    return {key: cursor for key, cursor in cursors.items() if key in chosen}


def _positions(parts: GatewayParts, chosen: Chosen, asked: Iterable[str]) -> dict[str, str]:
    """Return the cursors at which the subscription begins, by account; ``*``: future accounts."""
    positions = parts.positions
    keys = {*positions.keys(), *asked} if chosen is None else chosen
    found = {key: cursor for key in keys if (cursor := positions.of(key)) is not None}
    if chosen is None and positions.complete:
        found[NEW_ACCOUNTS] = BEGINNING
    return {key: cursor_text(cursor) for key, cursor in found.items()}
