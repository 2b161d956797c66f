"""Prints log lines: the last ones and, with ``follow``, new ones.

The supervisor sends an event for each line. A gateway has no such event, so ``logs.tail`` is
called repeatedly from the last cursor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ipc.errors import ConnectionFailed, IpcError
from ipc.frames.websocket import Event
from ipc.nesting import MALFORMED, decode_json
from ipc.websocket.reconnecting import ReconnectingClient
from ops.connect.account_api import payload_of
from ops.connect.gateway import address_of, connected_gateway
from ops.connect.places import places_of
from ops.connect.selection import matches
from ops.connect.supervisor import GONE, connected_supervisor
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError
from ops.output.line_filter import LineFilter
from ops.output.narration import log_line
from ops.output.show import show_json_line
from ops.output.text import clean
from runtime.config.places import Places

POLL = 1.0  # seconds
MAX_LINES = 5000  # in one answer


@dataclass(frozen=True, slots=True)
class LinesWanted:
    """Which lines are printed. They are the last ``count`` of ``names`` (none: of everything) that
    ``chosen`` accepts, and with ``follow`` all further ones.
    """

    names: Sequence[str]
    count: int
    chosen: LineFilter
    follow: bool = False

    @property
    def asked(self) -> int:
        """How many lines to request; more than ``count`` if a filter will drop some."""
        return max(MAX_LINES, self.count) if self.chosen.chooses else self.count


def print_logs(target: RuntimeTarget, wanted: LinesWanted, *, as_json: bool) -> None:
    """Print the lines that are wanted.

    Returns at Ctrl-C. Raises ``OperatorError``, exit 3, if the connection is lost.
    """
    if target.url is None:
        work = _print_local(places_of(target), wanted, as_json=as_json)
    else:
        work = _print_remote(target, wanted, as_json=as_json)
    with suppress(KeyboardInterrupt):
        asyncio.run(work)


async def _print_local(places: Places, wanted: LinesWanted, *, as_json: bool) -> None:
    stream = _LineStream(wanted, as_json)
    names = list(wanted.names)
    async with connected_supervisor(places, on_event=stream.on_event) as client:
        if wanted.follow:
            await client.call("logs.follow", {"accounts": names})
        found = await client.call("channels.logs", {"accounts": names, "lines": wanted.asked})
        stream.begin(found["lines"])
        if not wanted.follow:
            return
        await asyncio.shield(client.closed)
    if not stream.ended:
        raise OperatorError(GONE, ExitCode.NOT_RUNNING)


class _LineStream:
    """Merges the last lines with new ones: a line that is in both is shown once."""

    def __init__(self, wanted: LinesWanted, as_json: bool) -> None:
        self.ended = False
        self._wanted = wanted
        self._json = as_json
        self._early: list[dict[str, Any]] | None = []

    def on_event(self, event: Event) -> None:
        """Handle one event of the supervisor."""
        if event.event == "shutdown":
            self.ended = True
        elif event.event == "log":
            if self._early is None:
                self._show(payload_of(event))
            else:
                self._early.append(payload_of(event))

    def begin(self, lines: list[dict[str, Any]]) -> None:
        """Show the last lines, then those that came meanwhile, without duplicates."""
        early, self._early = self._early or [], None
        for line in _last_chosen(lines, self._wanted):
            self._show(line)
        for line in early:
            if line not in lines:
                self._show(line)

    def _show(self, line: dict[str, Any]) -> None:
        if not self._wanted.chosen.shows(line):
            return
        if self._json:
            show_json_line(line)
        else:
            print(log_line(line), flush=True)


def _last_chosen(lines: list[dict[str, Any]], wanted: LinesWanted) -> list[dict[str, Any]]:
    found = [line for line in lines if wanted.chosen.shows(line)]
    return found[-wanted.count :] if wanted.count else []


async def _print_remote(target: RuntimeTarget, wanted: LinesWanted, *, as_json: bool) -> None:
    names = wanted.names
    async with connected_gateway(await address_of(target)) as client:
        limit = MAX_LINES if names else max(1, min(wanted.asked, MAX_LINES))
        answer = await client.call("logs.tail", {"limit": limit})
        found = [line for line in map(_parsed, answer["lines"]) if _wanted(line, names)]
        for line in _last_chosen(found, wanted):
            _show_foreign(line, as_json)
        while wanted.follow:
            await asyncio.sleep(POLL)
            answer = await _tail_from(client, answer["cursor"])
            if answer.get("skippedBytes") and not as_json:
                print(f"… {answer['skippedBytes']} bytes of log skipped", flush=True)
            for line in map(_parsed, answer["lines"]):
                if _wanted(line, names) and wanted.chosen.shows(line):
                    _show_foreign(line, as_json)


async def _tail_from(client: ReconnectingClient, cursor: int) -> Any:
    """Return the lines after ``cursor``, across restarts of the gateway."""
    while True:
        try:
            return await client.call("logs.tail", {"cursor": cursor})
        except ConnectionFailed as error:
            if client.ended is not None:
                text = f"the gateway is gone: {error}"
                raise OperatorError(text, ExitCode.NOT_RUNNING) from None
            with suppress(IpcError):  # the next call says why it was in vain
                await client.opened()


def _parsed(text: str) -> dict[str, Any]:
    """Parse a line as an object; a foreign gateway may write anything."""
    try:
        return decode_json(text, dict[str, Any])
    except MALFORMED:
        return {"text": text}


def _wanted(line: dict[str, Any], names: Sequence[str]) -> bool:
    return not names or matches(str(line.get("account", "")), names)


def _show_foreign(line: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json_line(line)
    elif set(line) == {"text"}:
        print(clean(str(line["text"])), flush=True)
    else:
        print(log_line(line), flush=True)
