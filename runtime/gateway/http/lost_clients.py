"""Detects that the client of an HTTP request has disconnected before the answer.

The library goes on with such a request, and what waits for its turn or for an agent would go on
waiting for nobody.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from aiohttp import web

from ipc.websocket.http_socket import HttpSocket


@contextlib.contextmanager
def when_lost(request: web.BaseRequest, on_lost: Callable[[], None]) -> Iterator[None]:
    """Call ``on_lost`` when the connection ends, or at once if it has ended."""
    transport = request.transport
    connection = None if transport is None else transport.get_protocol()
    if transport is None:
        on_lost()
    elif isinstance(connection, HttpSocket):
        connection.on_lost = on_lost
    try:
        yield
    finally:
        if isinstance(connection, HttpSocket):
            connection.on_lost = None
