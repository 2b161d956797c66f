"""Log lines: the last ones, and those that come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ops import link
from ops.exits import Exit, OperatorError
from ops.narration import log_line
from ops.output import show_json_line
from ops.reach import payload
from ops.words import moment

if TYPE_CHECKING:
    from ipc.frames import Event
    from runtime.config.places import Places


async def show_logs(
    places: Places, names: Sequence[str], lines: int, *, follow: bool, as_json: bool
) -> None:
    """Print the last ``lines`` of ``names`` (none: of everything), and go on with ``follow``."""
    stream = _Stream(as_json)
    async with link.supervisor(places, on_event=stream.on_event) as client:
        if follow:
            await client.call("logs.follow", {"accounts": list(names)})
        found = await client.call("channels.logs", {"accounts": list(names), "lines": lines})
        for line in found["lines"]:
            stream.show(line)
        if not follow:
            return
        # One connection keeps its order: what came before the answer is part of the answer.
        stream.live = True
        await asyncio.shield(client.closed)
    if not stream.ended:
        raise OperatorError("the supervisor is gone", Exit.NOT_RUNNING)


class _Stream:
    def __init__(self, as_json: bool) -> None:
        self.live = False
        self.ended = False
        self._json = as_json

    def on_event(self, event: Event) -> None:
        if event.event == "shutdown":
            self.ended = True
        elif event.event == "log" and self.live:
            self.show(payload(event))

    def show(self, line: dict[str, Any]) -> None:
        if self._json:
            show_json_line(line)
        else:
            print(f"{moment(line['ts'])}  {log_line(line)}", flush=True)
