"""Serves the pages and files of the canvas host below ``/__openclaw__/canvas/``.

An agent writes them, and whoever talks to it has a hand in that. They come from the gateway's
own address, so every answer is sandboxed: a page may run scripts, but as one of no origin, which
gets at nothing that belongs to other pages of this address. Nor can other pages of this address
run a script from here.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from urllib.parse import quote

import orjson
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from runtime.gateway.http.canvas_files import Directory, NotThere, OpenedFile, open_file
from runtime.gateway.http.canvas_host import CANVAS, CanvasHost, split_ticket
from runtime.gateway.http.ingress_heads import PART_OF_A_PAGE, BadHead, decoded_path

SAFE = {
    "Content-Security-Policy": "sandbox allow-scripts",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address may hold a ticket
    "Cache-Control": "private, no-cache",
}
# A page of no origin may load modules, fonts and data of its own place only where that is said.
# The ticket in the path is the proof; no cookie or login of the browser is.
TICKETED = {"Access-Control-Allow-Origin": "*"}


class CanvasFile(web.FileResponse):
    """A response from an open file, with the library's ranges, ETag and dates."""

    def __init__(self, file: OpenedFile, headers: dict[str, str]) -> None:
        # What the descriptor holds is opened by its number, not by a name that may lead elsewhere.
        path = f"/proc/self/fd/{file.fd}"
        super().__init__(path, headers=headers | {"Content-Type": file.type})
        self._file = file

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send it; close the connection if the file has become shorter meanwhile."""
        try:
            writer = await super().prepare(request)
            if os.fstat(self._file.fd).st_size != self._file.size:
                self.force_close()  # else the next answer would be taken for the rest of this one
            return writer
        finally:
            os.close(self._file.fd)


class CanvasEndpoint:
    """The endpoint of ``host``; ``proved`` tells whether a request carries the gateway's secret."""

    def __init__(
        self, host: CanvasHost, proved: Callable[[web.BaseRequest], Awaitable[bool]]
    ) -> None:
        self._host = host
        self._proved = proved

    def serves(self, raw_path: str) -> bool:
        """Return whether a path belongs to the canvas host and it is enabled."""
        path = split_ticket(raw_path)[1]
        return self._host.enabled and (path == CANVAS or path.startswith(f"{CANVAS}/"))

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request: 200, 206, 302, 304, 400, 401, 403, 404, 412 or 416."""
        ticket, path = split_ticket(request.rel_url.raw_path)
        if not await self._admitted(request, ticket):
            body = orjson.dumps({"error": {"message": "Unauthorized", "type": "unauthorized"}})
            return self._respond("unauthorized", 401, body, "application/json; charset=utf-8")
        if _is_part_of_another_page(request):
            return self._respond("refused", 403, b"nothing here is part of the gateway's own pages")
        rest = path.removeprefix(CANVAS)
        if rest == "":
            return self._redirected(request, "canvas")
        try:
            wanted = decoded_path(rest.removeprefix("/"))
            file = await asyncio.to_thread(open_file, self._host.root, wanted)
        except BadHead as error:
            return self._respond("refused", error.status, str(error).encode())
        except NotThere:
            return self._respond("not found", 404, b"not found")
        if isinstance(file, Directory):
            return self._redirected(request, wanted.rpartition("/")[2])
        self._host.counts["served"] += 1
        return CanvasFile(file, SAFE if ticket is None else SAFE | TICKETED)

    async def _admitted(self, request: web.BaseRequest, ticket: str | None) -> bool:
        if ticket is not None:
            return self._host.opens(ticket, time.time())
        return await self._proved(request)

    def _redirected(self, request: web.BaseRequest, name: str) -> web.Response:
        """Redirect to the path with a slash, so that a page's relative addresses work."""
        query = request.rel_url.raw_query_string
        place = f"./{quote(name, safe='')}/" + (f"?{query}" if query else "")
        redirected = self._respond("redirected", 302, b"")
        redirected.headers["Location"] = place
        return redirected

    def _respond(
        self, outcome: str, status: int, body: bytes, type: str = "text/plain; charset=utf-8"
    ) -> web.Response:
        self._host.counts[outcome] += 1
        return web.Response(status=status, body=body, headers=SAFE | {"Content-Type": type})


def _is_part_of_another_page(request: web.BaseRequest) -> bool:
    """Return whether a page of the gateway itself would run or apply the requested file.

    A page of ours has no origin: what it loads comes from another site, for its browser.
    """
    headers = request.headers
    dest = headers.get("Sec-Fetch-Dest")
    return dest in PART_OF_A_PAGE and headers.get("Sec-Fetch-Site") == "same-origin"
