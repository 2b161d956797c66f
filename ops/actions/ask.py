"""One question to a gateway from the command line, its answer as JSON or as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from ipc.frames.words import INVALID_REQUEST
from ops.connect.selection import matches
from ops.connect.target import here
from ops.exits import OperatorError
from ops.output.stdout import show_json

if TYPE_CHECKING:
    from ipc.errors import RemoteError
    from ipc.websocket.reconnecting import ReconnectingClient

TIMEOUT = 30.0


def ask(
    context: typer.Context,
    method: str,
    params: Mapping[str, Any],
    url: str | None,
    token: str | None,
    timeout: float = TIMEOUT,
) -> Any:
    """Call ``method`` of the gateway that is meant, and return its answer.

    A refusal of an account that the gateway does not have names those that it has.
    """
    from ipc.errors import RemoteError
    from ops.connect import gateway as gateways
    from ops.connect import supervisor as clients

    async def work() -> Any:
        where = gateways.elsewhere(url, token) if url else await gateways.own(here(context), token)
        async with clients.gateway(where, timeout=timeout) as client:
            try:
                return await client.call(method, dict(params), timeout=timeout)
            except RemoteError as error:
                raise await _explained(error, params, client) from None

    return clients.run(work())


async def _explained(
    error: RemoteError, params: Mapping[str, Any], client: ReconnectingClient
) -> Exception:
    """Return ``error``, with the known accounts where it may be about one that is not."""
    from ipc.errors import IpcError
    from ops.connect.account_api import There

    channel, account = params.get("channel"), params.get("accountId")
    if error.code != INVALID_REQUEST or not isinstance(channel, str):
        return error
    try:
        known = [row["account"] for row in (await There(client).status())["accounts"]]
    except (IpcError, KeyError, TypeError):  # a stranger's gateway, or no right to ask
        return error
    wanted = f"{channel}:{account}" if account else channel
    if any(matches(key, [wanted]) for key in known):
        return error
    return OperatorError(f"{error}: {wanted!r} is unknown; known: {', '.join(known) or 'none'}")


def show(
    answer: Any, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, json: bool
) -> None:
    """Print the whole answer as JSON, or its rows: ``columns`` names a key for each title."""
    if json:
        show_json(answer)
        return
    from ops.output.show import show_table

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
