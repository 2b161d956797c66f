"""Sends one request to the supervisor or to a gateway and returns the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ipc.errors import CallTimeout, IpcError, RemoteError
from ipc.frames.words import INVALID_REQUEST
from ipc.websocket.reconnecting import ReconnectingClient
from ops.connect.account_api import AccountApi
from ops.connect.gateway import address_of, connected_gateway
from ops.connect.places import places_of
from ops.connect.selection import matches
from ops.connect.supervisor import call_supervisor
from ops.connect.target import RuntimeTarget
from ops.connect.trouble import explained
from ops.exits import ExitCode, OperatorError

TIMEOUT = 30.0  # seconds


def ask_supervisor(
    target: RuntimeTarget, method: str, params: dict[str, Any], timeout: float = TIMEOUT
) -> Any:
    """Call ``method`` of the supervisor that ``target`` means and return its answer."""
    return asyncio.run(call_supervisor(places_of(target), method, params, timeout=timeout))


def ask_gateway(
    target: RuntimeTarget, method: str, params: Mapping[str, Any], timeout: float = TIMEOUT
) -> Any:
    """Call ``method`` of the gateway that ``target`` means and return its answer.

    If the gateway refuses because it does not have the account, the error names the accounts that
    it has.
    """
    return asyncio.run(_ask_gateway(target, method, params, timeout))


async def _ask_gateway(
    target: RuntimeTarget, method: str, params: Mapping[str, Any], timeout: float
) -> Any:
    async with connected_gateway(await address_of(target), timeout=timeout) as client:
        try:
            return await client.call(method, dict(params), timeout=timeout)
        except RemoteError as error:
            raise await _explained(error, params, client) from None
        except CallTimeout as error:
            raise OperatorError(await explained(error, target), ExitCode.TIMEOUT) from None


async def _explained(
    error: RemoteError, params: Mapping[str, Any], client: ReconnectingClient
) -> Exception:
    """Return ``error``; if the params name an unknown account, one that lists the known ones."""
    channel, account = params.get("channel"), params.get("accountId")
    if error.code != INVALID_REQUEST or not isinstance(channel, str):
        return error
    try:
        status = await AccountApi(client, through_gateway=True).status()
        known = [row["account"] for row in status["accounts"]]
    except (IpcError, KeyError, TypeError):  # another gateway than ours, or no right to ask
        return error
    wanted = f"{channel}:{account}" if account else channel
    if any(matches(key, [wanted]) for key in known):
        return error
    from runtime.config.wording import known_names  # late: only what is wrong needs it

    return OperatorError(f"unknown account or channel {wanted!r}{known_names(wanted, known)}")
