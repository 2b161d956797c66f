"""Detects that the client of an HTTP request has disconnected before the answer.

The library would continue such a request, which would go on waiting for its turn or for an agent
although no client waits for the answer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from aiohttp import web

from ipc.websocket.http_socket import HttpSocket


@contextlib.contextmanager
def when_lost(request: web.BaseRequest, on_lost: Callable[[], None]) -> Iterator[None]:
    """Call ``on_lost`` when the connection ends, or at once if it has ended."""
    connection = socket_of(request)
    if request.transport is None:
        on_lost()
    elif connection is not None:
        connection.on_lost = on_lost
    try:
        yield
    finally:
        if connection is not None:
            connection.on_lost = None


def socket_of(request: web.BaseRequest) -> HttpSocket | None:
    """Return the connection of a request; ``None`` if it has gone."""
    transport = request.transport
    connection = None if transport is None else transport.get_protocol()
    return connection if isinstance(connection, HttpSocket) else None
