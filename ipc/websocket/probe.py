"""Checks whether a gateway listens at a url, by its challenge: an open port proves nothing."""

from __future__ import annotations

from websockets.exceptions import WebSocketException

from ipc import timeouts
from ipc.errors import FrameError
from ipc.frames.websocket import MAX_PREAUTH_BYTES, Event, decode_from_server
from ipc.websocket.connect import open_websocket


async def challenges(url: str, timeout: float = 5.0) -> bool:
    """Return whether a challenge comes from ``url`` within ``timeout`` seconds.

    What else may come is ignored; the connection ends with a reset.
    """
    try:
        async with timeouts.timeout(timeout):
            connection = await open_websocket(
                url,
                compression=None,
                ping_interval=None,
                open_timeout=None,
                max_size=MAX_PREAUTH_BYTES,
            )
            try:
                while not _is_challenge(await connection.recv(decode=False)):
                    pass
            finally:
                connection.transport.abort()
                await connection.wait_closed()
    except (OSError, TimeoutError, WebSocketException, ValueError):
        return False
    return True


def _is_challenge(data: bytes) -> bool:
    try:
        frame = decode_from_server(data)
    except FrameError:
        return False
    return isinstance(frame, Event) and frame.event == "connect.challenge"
