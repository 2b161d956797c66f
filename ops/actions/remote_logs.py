"""Log lines of a gateway elsewhere, through ``logs.tail``: asked again from the last cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from ipc.errors import ConnectionFailed, IpcError
from ops.connect import supervisor as clients
from ops.connect.selection import matches
from ops.exits import Exit, OperatorError
from ops.output.narration import log_line
from ops.output.stdout import show_json_line
from ops.output.text import clean

if TYPE_CHECKING:
    from ipc.websocket.reconnecting import ReconnectingClient
    from ops.connect.address import Gateway

POLL = 1.0  # seconds; the protocol has no event for log lines
MAX_LINES = 5000


async def show_remote_logs(
    target: Gateway, names: Sequence[str], lines: int, *, follow: bool, as_json: bool
) -> None:
    """Print the last ``lines`` of ``names`` (none: of everything), and go on with ``follow``."""
    async with clients.gateway(target) as client:
        limit = MAX_LINES if names else max(1, min(lines, MAX_LINES))
        answer = await client.call("logs.tail", {"limit": limit})
        found = [line for line in map(_read, answer["lines"]) if _wanted(line, names)]
        for line in found[-lines:] if lines else []:
            _show(line, as_json)
        while follow:
            await asyncio.sleep(POLL)
            answer = await _next(client, answer["cursor"])
            if answer.get("skippedBytes") and not as_json:
                print(f"… {answer['skippedBytes']} bytes of log skipped", flush=True)
            for line in map(_read, answer["lines"]):
                if _wanted(line, names):
                    _show(line, as_json)


async def _next(client: ReconnectingClient, cursor: int) -> Any:
    """Return what came after ``cursor``, over restarts of the gateway."""
    while True:
        try:
            return await client.call("logs.tail", {"cursor": cursor})
        except ConnectionFailed as error:
            if client.ended is not None:
                raise OperatorError(f"the gateway is gone: {error}", Exit.NOT_RUNNING) from None
            with suppress(IpcError):  # the next call says why it was in vain
                await client.opened()


def _read(text: str) -> dict[str, Any]:
    """Return the line as an object; a stranger's gateway may write anything."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return {"text": text}


def _wanted(line: dict[str, Any], names: Sequence[str]) -> bool:
    return not names or matches(str(line.get("account", "")), names)


def _show(line: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json_line(line)
    elif set(line) == {"text"}:
        print(clean(str(line["text"])), flush=True)
    else:
        print(log_line(line), flush=True)
