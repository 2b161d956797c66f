"""Answers ``POST /tools/invoke``: runs those tools of OpenClaw that the gateway implements."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from aiohttp import web

from ipc.errors import RemoteError
from runtime.gateway.conversations.session_keys import MAIN
from runtime.gateway.http.api import json_response
from runtime.gateway.http.api_refusals import HttpRefusal, refusal_of
from runtime.gateway.http.json_bodies import JsonBodies
from runtime.gateway.http.method_calls import call_method
from runtime.gateway.http.openai.models import AgentNames
from runtime.gateway.http.tool_requests import (
    TOOL,
    ToolPolicy,
    ToolRequest,
    read_tool_request,
    tool_result,
)
from runtime.gateway.parts import GatewayParts

MAX_BODY_BYTES = 2 * 1024 * 1024
LISTED = frozenset({"limit", "offset", "activeMinutes", "label", "agentId", "search", "archived"})
Json = dict[str, Any]
Tool = Callable[[ToolRequest], Awaitable[Json]]


class ToolsEndpoint:
    """The endpoint for the tools of one gateway."""

    def __init__(self, parts: GatewayParts, bodies: JsonBodies) -> None:
        self._parts = parts
        self._bodies = bodies
        self._most = min(MAX_BODY_BYTES, parts.config.http.max_body_bytes)
        self._tools: dict[str, Tool] = {
            "agents_list": self._agents_list,
            "message": self._message,
            "nodes": self._nodes,
            "session_status": self._session_status,
            "sessions_history": self._sessions_history,
            "sessions_list": self._sessions_list,
        }
        config = parts.config.tools
        self._policy = ToolPolicy(self._tools, config.allow, config.deny)

    async def invoke(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request; with ``dryRun`` nothing is carried out, unlike in OpenClaw."""
        body = await self._bodies.read(request, self._most, "nothing")
        asked = read_tool_request(body, self._owner(), self._parts.agents.named(MAIN))
        self._policy.require(asked.name)
        if asked.dry:
            details = {"dryRun": True, "tool": asked.name, "args": asked.args}
            return json_response(200, tool_result(details, dryRun=True))
        key = request.headers.get("Idempotency-Key")
        if key and "idempotencyKey" not in asked.args:
            asked.args["idempotencyKey"] = key
        try:
            return json_response(200, tool_result(await self._tools[asked.name](asked)))
        except RemoteError as error:
            refusal = refusal_of(error)
            raise HttpRefusal(
                refusal.status, refusal.message, TOOL, refusal.headers, error.details
            ) from None

    def _owner(self) -> str | None:
        """Return the agent that is used if none is named."""
        listed = self._parts.agents.listed
        try:
            return AgentNames(list(listed.entries), listed.agent_of("")).owner
        except HttpRefusal:
            return None

    async def _agents_list(self, asked: ToolRequest) -> Json:
        entries = self._parts.agents.listed.entries
        rows = [
            {
                "id": agent,
                "name": entry.name or agent,
                "configured": True,
                "model": entry.label,
                "agentRuntime": {"id": entry.kind, "source": "implicit"},
            }
            for agent, entry in entries.items()
        ]
        return {"requester": asked.agent, "allowAny": True, "agents": rows}

    async def _message(self, asked: ToolRequest) -> Json:
        args = dict(asked.args)
        channel = args.pop("channel", None) or self._parts.accounts.only_channel()
        params = {
            "channel": channel,
            "action": args.pop("action", "send"),
            "idempotencyKey": args.pop("idempotencyKey", None) or str(uuid.uuid4()),
            "params": args,
        }
        if account := args.pop("accountId", None):
            params["accountId"] = account
        return await self._call("message.action", params)

    async def _nodes(self, asked: ToolRequest) -> Json:
        args = asked.args
        node = args.get("node") or args.get("nodeId")
        match args.get("action", "status"):
            case "status" | "list":
                return await self._call("node.list", {})
            case "describe":
                return await self._call("node.describe", {"nodeId": node})
            case "invoke":
                params = {
                    "nodeId": node,
                    "command": args.get("invokeCommand") or args.get("command"),
                    "idempotencyKey": args.get("idempotencyKey") or str(uuid.uuid4()),
                    "params": args.get("params", {}),
                }
                return await self._call("node.invoke", params)
        raise HttpRefusal(400, "action must be status, list, describe or invoke", TOOL)

    async def _session_status(self, asked: ToolRequest) -> Json:
        key = asked.args.get("sessionKey") or asked.session
        found = (await self._call("sessions.describe", {"key": key}))["session"]
        if found is None:
            raise HttpRefusal(400, f"Unknown sessionKey: {str(key)[:512]}", TOOL)
        return {"ok": True, "sessionKey": found["key"], "session": found}

    async def _sessions_history(self, asked: ToolRequest) -> Json:
        args = asked.args
        if not args.get("sessionKey"):
            raise HttpRefusal(400, "sessionKey required", TOOL)
        params = {"sessionKey": args["sessionKey"]} | _only(args, {"limit"})
        found = await self._call("chat.history", params)
        rows = found["messages"]
        if args.get("includeTools") is not True:
            rows = [each for each in rows if each["role"] != "toolResult"]
        return {
            "sessionKey": found["sessionKey"],
            "messages": rows,
            "hasMore": found["hasMore"],
        }

    async def _sessions_list(self, asked: ToolRequest) -> Json:
        found = await self._call("sessions.list", _only(asked.args, LISTED))
        made: Json = {"count": found["count"], "sessions": found["sessions"]}
        made |= {"hasMore": found["hasMore"], "limitApplied": found["limitApplied"]}
        return made | ({"nextOffset": found["nextOffset"]} if found["hasMore"] else {})

    async def _call(self, method: str, params: Json) -> Json:
        found: Json = await call_method(self._parts, method, params)
        return found


def _only(args: Json, names: Collection[str]) -> Json:
    return {name: args[name] for name in names if args.get(name) is not None}
