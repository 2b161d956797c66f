"""Imports the client of websockets without what it would import to find proxies.

That is ``urllib.request``, and with it what speaks HTTP and reads mail: 8 ms and 1 MiB of every
supervisor and every command, and none of our connections uses a proxy. Another package in the
same process may: it is imported when it is needed.
"""

from __future__ import annotations

from ipc.lean_import import lean_import

with lean_import("urllib.request"):
    import websockets.proxy  # noqa: F401 - what comes later finds it imported

from websockets.asyncio.client import ClientConnection as ClientConnection
from websockets.asyncio.client import connect as connect
from websockets.asyncio.client import unix_connect as unix_connect
