"""Returns the history of the figures of accounts: ``metrics.history``."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from ipc.frames.requests import MAX_KEYS, Params
from runtime.gateway.access.scopes import READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import TEXT_BYTES, method
from runtime.gateway.figures.history import COARSE_SLOTS, FINE_SLOTS, Range
from runtime.gateway.figures.history_ring import NAMES, Name
from runtime.gateway.parts import GatewayParts

Key = Annotated[str, Meta(min_length=1, max_length=129)]


class HistoryParams(Params):
    """The params of ``metrics.history``: ``keys`` absent mean all accounts and agents.

    ``range`` is the last hour, in steps of 10 s, or the last day, in steps of 5 min; with
    ``points`` neighbouring steps are joined until there are no more than so many.
    """

    keys: Annotated[list[Key], Meta(max_length=MAX_KEYS)] | None = None
    series: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=len(NAMES))] = NAMES
    range: Range = "1h"
    points: Annotated[int, Meta(ge=1, le=max(FINE_SLOTS, COARSE_SLOTS))] | None = None


@method("metrics.history", READ, HistoryParams, ours=True, most_bytes=TEXT_BYTES)
async def metrics_history(
    parts: GatewayParts, client: ConnectedClient, params: HistoryParams
) -> Any:
    """Answer with past metrics of the accounts. `series` has for each name lists of values, in the
    order of `keys`, the first for the `stepMs` milliseconds after `from`, `null` if unknown. `in`,
    `out`, `errors` (dropped, without repetitions) and `restarts` count what happened within a step;
    `rss` (KiB) and `cpu` (percent of a core) are averages.
    """
    names = list(dict.fromkeys(params.series))
    return await parts.figures.history.answer(params.keys, names, params.range, params.points)
