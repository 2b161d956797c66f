"""Sends one request to the supervisor or to a gateway and returns the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from ipc.errors import CallTimeout, RemoteError
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE
from ipc.websocket.reconnecting import ReconnectingClient
from ops.actions.unknown_names import unknown_name
from ops.connect.gateway import address_of, connected_gateway
from ops.connect.no_answer import explained
from ops.connect.places import places_of
from ops.connect.supervisor import call_supervisor
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError

TIMEOUT = 30.0  # seconds
LONGEST_METHOD = 128  # characters that are compared with the names of methods


def ask_supervisor(
    target: RuntimeTarget, method: str, params: dict[str, Any], timeout: float = TIMEOUT
) -> Any:
    """Call ``method`` of the supervisor that ``target`` means and return its answer."""
    return asyncio.run(call_supervisor(places_of(target), method, params, timeout=timeout))


def ask_gateway(
    target: RuntimeTarget,
    method: str,
    params: Mapping[str, Any],
    timeout: float = TIMEOUT,
    *,
    rows: str | None = None,
) -> Any:
    """Call ``method`` of the gateway that ``target`` means and return its answer.

    If the gateway refuses, or has no ``rows`` (a field of the answer), because it does not have
    the account or agent that is named, the error names those that it has.
    """
    return asyncio.run(_ask_gateway(target, method, params, timeout, rows))


async def _ask_gateway(
    target: RuntimeTarget,
    method: str,
    params: Mapping[str, Any],
    timeout: float,
    rows: str | None,
) -> Any:
    async with connected_gateway(await address_of(target), timeout=timeout) as client:
        try:
            answer = await client.call(method, dict(params), timeout=timeout)
        except RemoteError as error:
            if error.message.startswith("unknown method"):
                raise OperatorError(f"{error.message}{_nearest(method, client)}") from None
            if error.code in (INVALID_REQUEST, UNAVAILABLE):
                raise await unknown_name(params, client) or error from None
            raise
        except CallTimeout as error:
            raise OperatorError(await explained(error, target), ExitCode.TIMEOUT) from None
        if rows is not None and not answer[rows]:
            unknown = await unknown_name(params, client)
            if unknown is not None:
                raise unknown
        return answer


def _nearest(method: str, client: ReconnectingClient) -> str:
    """Return which method of the gateway is the most similar one, as the end of a sentence."""
    known = (client.hello.get("features") or {}).get("methods", ())
    near = get_close_matches(method[:LONGEST_METHOD], known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""
