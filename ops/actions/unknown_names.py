"""Finds out whether the params of a request name an account or agent that a gateway lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipc.errors import IpcError
from ipc.websocket.reconnecting import ReconnectingClient
from ops.connect.account_api import AccountApi
from ops.connect.selection import matches
from ops.exits import UnknownName

DEFAULT_AGENT = "main"  # means the default agent, whatever its id
_PLACES = (("channel", "accountId"), ("replyChannel", "replyAccountId"))


async def unknown_name(params: Mapping[str, Any], client: ReconnectingClient) -> UnknownName | None:
    """Return an error that lists the accounts or agents that exist if ``params`` name another one.

    ``None`` if they name none that is missing, or the gateway does not say which exist.
    """
    try:
        return await _unknown_account(params, client) or await _unknown_agent(params, client)
    except (IpcError, KeyError, TypeError):  # another gateway than ours, or no right to ask
        return None


async def _unknown_account(
    params: Mapping[str, Any], client: ReconnectingClient
) -> UnknownName | None:
    key = params.get("account")
    places = [(params.get(channel), params.get(account)) for channel, account in _PLACES]
    wanted = [
        f"{channel}:{account}" if account else channel
        for channel, account in places
        if channel and isinstance(channel, str)
    ]
    if not wanted and not isinstance(key, str):
        return None
    status = await AccountApi(client, through_gateway=True).status()
    known = [row["account"] for row in status["accounts"]]
    for name in wanted:
        if not any(matches(each, [name]) for each in known):
            return UnknownName("account or channel", name, known)
    if isinstance(key, str) and key not in {*known, *(row["account"] for row in status["agents"])}:
        return UnknownName("account", key, known)
    return None


async def _unknown_agent(
    params: Mapping[str, Any], client: ReconnectingClient
) -> UnknownName | None:
    wanted = params.get("agentId")
    if not isinstance(wanted, str) or wanted == DEFAULT_AGENT:
        return None
    known = [each["id"] for each in (await client.call("agents.list", {}))["agents"]]
    return None if wanted in known else UnknownName("agent", wanted, known)
