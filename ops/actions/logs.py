"""Log lines: the last ones, and those that come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ops.connect import supervisor as clients
from ops.connect.account_api import payload
from ops.exits import Exit, OperatorError
from ops.output.narration import log_line
from ops.output.stdout import show_json_line

if TYPE_CHECKING:
    from ipc.frames.websocket import Event
    from runtime.config.places import Places


async def show_logs(
    places: Places, names: Sequence[str], lines: int, *, follow: bool, as_json: bool
) -> None:
    """Print the last ``lines`` of ``names`` (none: of everything), and go on with ``follow``."""
    stream = _Stream(as_json)
    async with clients.supervisor(places, on_event=stream.on_event) as client:
        if follow:
            await client.call("logs.follow", {"accounts": list(names)})
        found = await client.call("channels.logs", {"accounts": list(names), "lines": lines})
        stream.begin(found["lines"])
        if not follow:
            return
        await asyncio.shield(client.closed)
    if not stream.ended:
        raise OperatorError("the supervisor is gone", Exit.NOT_RUNNING)


class _Stream:
    """Joins the last lines and those that come: a line may be in both, and is shown once."""

    def __init__(self, as_json: bool) -> None:
        self.ended = False
        self._json = as_json
        self._early: list[dict[str, Any]] | None = []

    def on_event(self, event: Event) -> None:
        if event.event == "shutdown":
            self.ended = True
        elif event.event == "log":
            if self._early is None:
                self._show(payload(event))
            else:
                self._early.append(payload(event))

    def begin(self, lines: list[dict[str, Any]]) -> None:
        """Show the last lines, then those that came meanwhile and are not among them."""
        early, self._early = self._early or [], None
        for line in lines:
            self._show(line)
        for line in early:
            if line not in lines:
                self._show(line)

    def _show(self, line: dict[str, Any]) -> None:
        if self._json:
            show_json_line(line)
        else:
            print(log_line(line), flush=True)
