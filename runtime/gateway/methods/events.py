"""``events.subscribe`` (ours): which of our own events this client gets, and what it missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from ipc.errors import FrameError, RemoteError
from runtime.gateway.fanout import MESSAGE, OWN_EVENTS
from runtime.gateway.methods.table import INVALID, Strict, method
from runtime.gateway.ring import parse_cursor
from runtime.gateway.scopes import READ

if TYPE_CHECKING:
    from runtime.gateway.client import Client

Key = Annotated[str, Meta(min_length=1, max_length=129)]


class Subscribe(Strict):
    """``accounts`` and ``events`` absent mean all. ``cursors`` holds the last cursor seen of
    each account: what came after it is sent before anything new.
    """

    accounts: list[Key] | None = None
    events: list[str] | None = None
    cursors: dict[Key, Annotated[str, Meta(max_length=41)]] = {}


@method("events.subscribe", READ, Subscribe, ours=True)
def events_subscribe(client: Client, params: Subscribe) -> Any:
    """Subscribe, replacing what was subscribed. ``gaps`` names the accounts of which more is
    missing than the gateway still has.
    """
    events = OWN_EVENTS if params.events is None else frozenset(params.events)
    if unknown := events - OWN_EVENTS:
        raise RemoteError(INVALID, f"invalid events.subscribe event: {min(unknown)[:128]}")
    try:
        cursors = {key: parse_cursor(text) for key, text in params.cursors.items()}
    except FrameError as error:
        raise RemoteError(INVALID, f"invalid events.subscribe params: {error}") from None
    gateway = client.gateway
    gateway.fanout.subscribe(client, params.accounts, events)
    replayed, gaps = 0, []
    for key, cursor in cursors.items():
        wanted = MESSAGE in events and (params.accounts is None or key in params.accounts)
        frames, complete = gateway.rings.after(key, cursor) if wanted else ([], True)
        replayed += len(frames)
        if frames:
            client.connection.send_framed(b"".join(frames))
        if not complete:
            gaps.append(key)
    return {"ok": True, "events": sorted(events), "replayed": replayed, "gaps": gaps}
