"""Answers ``GET /sessions/<key>/history``: the transcript of a session, page by page."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from aiohttp import web

from runtime.gateway.http.api import json_response
from runtime.gateway.http.api_refusals import HttpRefusal
from runtime.gateway.http.method_calls import call_method
from runtime.gateway.parts import GatewayParts

START, END = "/sessions/", "/history"
DEFAULT_ROWS, MAX_ROWS = 200, 1000


class SessionHistory:
    """The transcripts of one gateway."""

    def __init__(self, parts: GatewayParts) -> None:
        self._parts = parts

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request. ``cursor`` is the ``nextCursor`` of the page after the wanted one."""
        key = key_in_path(request.rel_url.raw_path)
        limit = _number(request, "limit", DEFAULT_ROWS)
        cursor = _number(request, "cursor", 0)
        params: dict[str, Any] = {"sessionKey": key, "limit": min(limit, MAX_ROWS)}
        if cursor:
            newest = await call_method(self._parts, "chat.history", params | {"limit": 1})
            params["offset"] = max(0, newest["totalMessages"] - cursor + 1)
        page = await call_method(self._parts, "chat.history", params)
        rows = page["messages"]
        made = {"sessionKey": page["sessionKey"], "items": rows, "messages": rows}
        made["hasMore"] = page["hasMore"] and bool(rows)
        if made["hasMore"]:
            made["nextCursor"] = str(rows[0]["__openclaw"]["seq"])
        return json_response(200, made)


def key_in_path(path: str) -> str:
    """Return the session key in the path of a request; ``""`` for any other path."""
    if not (path.startswith(START) and path.endswith(END)):
        return ""
    return unquote(path[len(START) : -len(END)])


def _number(request: web.BaseRequest, name: str, default: int) -> int:
    """Return a number of the query, at least 1."""
    given = request.rel_url.query.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 10 and int(given)):
        raise HttpRefusal(400, f"{name} must be a number from 1 on")
    return int(given)
