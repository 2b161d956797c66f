"""Provides what the fake servers of platforms with an HTTP API have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web

from workers.testing.fake import Fake
from workers.testing.http_fake import abort

FOR_EVER = -1  # calls
FROZEN_SECONDS = 600.0


@dataclass(slots=True, kw_only=True)
class CallFault:
    """What goes wrong with the next ``times`` calls (-1: for ever).

    ``html`` answers with the page of a proxy; ``drop`` closes the connection "before" or "after"
    the call is carried out; ``slow`` waits so many seconds first.
    """

    html: bool = False
    drop: str = ""
    slow: float = 0.0
    times: int = 1

    def refusal(self) -> Exception | None:
        """Return the platform's own refusal, if this fault is one."""
        return None

    async def inject(
        self, request: web.Request, refused: Callable[[], Exception | None] = lambda: None
    ) -> web.StreamResponse | None:
        """Apply a due fault to a request before it is executed; return the fault's answer, if any.

        Raises what ``refused`` returns, by which all requests are, or the refusal of this fault.
        """
        await asyncio.sleep(self.slow)
        if (refusal := refused() or self.refusal()) is not None:
            raise refusal
        if self.html:
            return web.Response(status=502, text="<html>502 Bad Gateway</html>")
        return abort(request) if self.drop == "before" else None


F = TypeVar("F", bound=CallFault)


def next_fault(faults: Iterable[F], concerns: Callable[[F], bool]) -> F | None:
    """Return the first fault that is left and concerns a call, and count it."""
    for fault in faults:
        if fault.times and concerns(fault):
            fault.times -= 1
            return fault
    return None


class ServedFake(Fake):
    """A fake for one account whose platform is a server that ``start`` enters.

    ``twice`` is how many of the next texts are delivered twice.
    """

    server: Any

    def __init__(self) -> None:
        self.stack = AsyncExitStack()
        self.twice = 0

    async def close(self) -> None:
        """End the server."""
        await self.stack.aclose()

    @property
    def turned_away(self) -> int:  # type: ignore[override]  # a count that the server keeps
        """How many calls an outage has met."""
        return int(self.server.turned_away)
