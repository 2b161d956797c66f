"""Parses requests to ``/tools/invoke`` and decides which tools are available. Pure.

The words, the shapes and the list of what is denied are OpenClaw's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from runtime.gateway.conversations.session_keys import (
    MAIN,
    BadSessionKey,
    agent_of,
    client_key,
    main_key,
)
from runtime.gateway.http.api_refusals import HttpRefusal

INVALID, TOOL, NOT_FOUND = "invalid_request", "tool_error", "not_found"
DENIED = frozenset(
    {
        "exec",
        "spawn",
        "shell",
        "fs_write",
        "fs_delete",
        "fs_move",
        "apply_patch",
        "sessions_spawn",
        "sessions_send",
        "cron",
        "gateway",
        "nodes",
    }
)
# Each line of an indented text begins with two spaces for each level: of a long text that is nested
# deep a hundred times as much would be made.
INDENTED_BYTES = 16 * 1024
Json = dict[str, Any]

_encode = msgspec.json.Encoder().encode


class ToolRequest(msgspec.Struct, frozen=True):
    """A parsed request. ``session`` is a full key, ``agent`` the agent it belongs to."""

    name: str
    session: str
    agent: str
    args: Json = msgspec.field(default_factory=dict)
    dry: bool = False


class ToolPolicy:
    """The tools that may be invoked: implemented here (``carried``) and not denied.

    ``allow`` takes names out of what is denied without any configuration, ``deny`` adds some.
    """

    def __init__(
        self, carried: Collection[str], allow: Collection[str], deny: Collection[str]
    ) -> None:
        self._carried = frozenset(carried)
        self._denied = (DENIED - frozenset(allow)) | frozenset(deny)

    def require(self, name: str) -> None:
        """Raise ``HttpRefusal`` for a tool that is not available."""
        if name not in self._carried or name in self._denied:
            raise HttpRefusal(404, f"Tool not available: {name[:128]}", NOT_FOUND)


def read_tool_request(body: object, owner: str | None, main: str = MAIN) -> ToolRequest:
    """Parse a body. ``owner`` is the agent of a bare session key, if any.

    ``main`` is the agent that is meant by that name. Raises ``HttpRefusal``.
    """
    given: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    name = given.get("name") or given.get("tool")
    if not isinstance(name, str) or not name.strip():
        raise HttpRefusal(400, "tools.invoke requires name", INVALID)
    raw = given.get("args")
    args: Json = dict(raw) if isinstance(raw, Mapping) else {}
    action = given.get("action")
    if isinstance(action, str) and action:
        args.setdefault("action", action)
    session, agent = _place(given, owner, main)
    dry = given.get("dryRun") is True or args.pop("dryRun", None) is True
    return ToolRequest(name.strip(), session, agent, args, dry)


def tool_result(details: Any, **more: Any) -> Json:
    """Return the body of an answer: the details, and the same as text, indented if it is short."""
    text = _encode(details)
    if len(text) <= INDENTED_BYTES:
        text = msgspec.json.format(text, indent=2)
    result = {"content": [{"type": "text", "text": text.decode()}], "details": details}
    return {"ok": True, **more, "result": result}


def tool_refusal(refusal: HttpRefusal) -> Json:
    """Return the body of a refusal."""
    error: Json = {"type": refusal.type, "message": refusal.message}
    return {"ok": False, "error": error | ({"details": refusal.details} if refusal.details else {})}


def _place(given: Mapping[str, Any], owner: str | None, main: str) -> tuple[str, str]:
    """Return the session and the agent of a request."""
    key, wanted = given.get("sessionKey"), given.get("agentId")
    key = key.strip() if isinstance(key, str) else ""
    wanted = wanted.strip() if isinstance(wanted, str) else ""
    wanted = main if wanted == MAIN else wanted
    if not key.startswith("agent:") and not wanted and owner is None:
        text = (
            f'Multiple agents are configured, but session key "{key or MAIN}" has no explicit '
            "owner. Pass agentId or use an agent-prefixed session key."
        )
        raise HttpRefusal(400, text, INVALID)
    meant = wanted or owner or MAIN
    try:
        session = client_key(key, meant, main=main) if key else main_key(meant)
    except BadSessionKey as error:
        raise HttpRefusal(400, str(error), INVALID) from None
    agent = agent_of(session)
    if wanted and agent != wanted:
        text = f'agent "{wanted[:128]}" does not match session key agent "{agent}"'
        raise HttpRefusal(400, text, INVALID)
    return session, agent
