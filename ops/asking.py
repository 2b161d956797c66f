"""One question to a gateway from the command line, its answer as JSON or as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from ops.output import show_json
from ops.places import here

TIMEOUT = 30.0


def ask(
    context: typer.Context,
    method: str,
    params: Mapping[str, Any],
    url: str | None,
    token: str | None,
    timeout: float = TIMEOUT,
) -> Any:
    """Call ``method`` of the gateway that is meant, and return its answer."""
    from ops import gateways, link

    async def work() -> Any:
        where = gateways.elsewhere(url, token) if url else await gateways.own(here(context), token)
        async with link.gateway(where, timeout=timeout) as client:
            return await client.call(method, dict(params), timeout=timeout)

    return link.run(work())


def show(
    answer: Any, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, json: bool
) -> None:
    """Print the whole answer as JSON, or its rows: ``columns`` names a key for each title."""
    if json:
        show_json(answer)
        return
    from ops.tables import show_table

    if not rows:
        print("none")
        return
    cells = [[_cell(row.get(key)) for key in columns.values()] for row in rows]
    show_table(list(columns), cells)


def _cell(value: Any) -> object:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value
