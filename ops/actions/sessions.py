"""Reads whole sessions of a gateway, page by page."""

from __future__ import annotations

import asyncio
from typing import Any

from ops.connect.gateway import address_of, connected_gateway
from ops.connect.target import RuntimeTarget
from ops.exits import OperatorError

PAGE = 500  # entries that are asked for at once
TIMEOUT = 60.0  # seconds, for each page

Row = dict[str, Any]


def read_session(target: RuntimeTarget, key: str, limit: int | None = None) -> dict[str, Any]:
    """Return the last answer of ``chat.history``, with all entries of a session or the newest.

    Raises ``OperatorError`` for an unknown session.
    """
    return asyncio.run(_read(target, key, limit))


async def _read(target: RuntimeTarget, key: str, limit: int | None) -> dict[str, Any]:
    async with connected_gateway(await address_of(target), timeout=TIMEOUT) as client:

        async def ask(method: str, params: dict[str, Any]) -> Any:
            return await client.call(method, params, timeout=TIMEOUT)

        found = await ask("sessions.resolve", {"key": key, "allowMissing": True})
        if not found["ok"]:
            raise OperatorError(f"there is no session {key}; `trunkline sessions list` shows them")
        rows: dict[str, Row] = {}  # by id: what is said meanwhile moves the pages
        page: dict[str, Any] = {}
        offset: int | None = 0
        while offset is not None:
            most = PAGE if limit is None else min(PAGE, limit - len(rows))
            asked = {"sessionKey": found["key"], "limit": most, "offset": offset}
            page = await ask("chat.history", asked)
            rows = {_id(each): each for each in page["messages"]} | rows
            more = page["messages"] and (limit is None or len(rows) < limit)
            offset = page.get("nextOffset") if more else None
        return page | {"messages": list(rows.values())}


def _id(row: Row) -> str:
    return str(row["__openclaw"]["id"])
