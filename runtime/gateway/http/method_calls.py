"""Calls methods of the gateway for an authenticated HTTP request, as an operator."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from ipc.errors import CallTimeout, PeerGone
from runtime.gateway.access.scopes import ALL, OPERATOR
from runtime.gateway.clients.method_table import AccountCall, find
from runtime.gateway.parts import GatewayParts

_encode = msgspec.json.Encoder().encode


class HttpCaller:
    """The caller of methods for an HTTP request: the part of a client that methods use."""

    protocol = 4
    role = OPERATOR
    scopes = tuple(sorted(ALL))
    device = None
    gone = False


CALLER = HttpCaller()


async def call_method(parts: GatewayParts, name: str, params: dict[str, Any]) -> Any:
    """Return the result of a method. Raises ``RemoteError``."""
    method = find(name)
    assert method is not None, name
    checked = method.params(msgspec.Raw(_encode(params)))
    try:
        result = method.function(parts, CALLER, checked)
        if inspect.isawaitable(result):
            result = await result
        if isinstance(result, AccountCall):
            result = await result.answer(parts)
    except (CallTimeout, PeerGone) as error:
        raise method.unanswered(error) from None
    return result
