"""Serves HTTP so that a body which turns out to be malformed is refused at once.

The library reports a malformed chunk as another request, to be answered after the one whose body it
is in. That one would wait for the rest of its body until its deadline.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.http import RawRequestMessage

from runtime.gateway.http.readable_heads import readable_request


class BodyCheckingServer(web.Server):
    """The library's server; ``options`` are those of its connections."""

    def __init__(self, answer: Any, **options: Any) -> None:
        super().__init__(answer, request_factory=readable_request)
        self._options = options

    def __call__(self) -> web.RequestHandler:
        """Return the protocol of a new connection."""
        return _CheckedConnection(self, loop=asyncio.get_running_loop(), **self._options)


class _CheckedConnection(web.RequestHandler):
    """A connection whose malformed data ends the body that it belongs to."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        """Parse data; what cannot be parsed is then the last of the messages."""
        super().data_received(data)
        if self._messages and not isinstance(self._messages[-1][0], RawRequestMessage):
            self._fail_body()

    def _fail_body(self) -> None:
        if len(self._messages) > 1:
            body = self._messages[-2][1]
        elif self._current_request is not None:
            body = self._current_request.content
        else:
            return
        if not body.is_eof():
            body.set_exception(web.RequestPayloadError("the body is malformed"))
