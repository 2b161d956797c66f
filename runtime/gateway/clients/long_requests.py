"""Decides about the long requests of one client by their beginning, before they are decoded."""

from __future__ import annotations

from ipc.errors import RemoteError
from ipc.frames.request_heads import read_head
from ipc.frames.websocket import MAX_FRAME_BYTES
from ipc.frames.words import INVALID_REQUEST
from ipc.nesting import has_more_values
from ipc.websocket.long_messages import BEGINNING_BYTES, LONG_MESSAGE_BYTES
from runtime.gateway.access.scopes import SUPERVISOR
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import allowed, find

MAX_VALUES = 200_000  # of a long request: decoded, 20 MiB beside its text


class LongRequests:
    """The rules for the long requests of ``client``; the supervisor is trusted."""

    __slots__ = ("_client",)

    def __init__(self, client: ConnectedClient) -> None:
        self._client = client

    def most_bytes(self, beginning: bytes) -> int:
        """Return the largest size of a request that begins so."""
        client = self._client
        if client.role == SUPERVISOR:
            return MAX_FRAME_BYTES
        name = read_head(beginning).method or ""
        try:
            find(name)
        except Exception:  # noqa: BLE001 - its installation is being replaced: refused as unknown
            return LONG_MESSAGE_BYTES
        method = allowed(client.role, client.scopes, client.protocol).get(name)
        return LONG_MESSAGE_BYTES if method is None else method.most_bytes

    def refuse(self, beginning: bytes) -> None:
        """Answer a request that is too long."""
        name = read_head(beginning).method
        text = f"more than {self.most_bytes(beginning)} bytes"
        if name is None:
            text += "; the method of a longer request must come before its params"
        else:
            text += f", the limit of {name[:128]}"
        self._refuse(beginning, text)

    def accepts(self, message: bytes) -> bool:
        """Return whether a request has few enough values; answer it if not."""
        if self._client.role == SUPERVISOR or not has_more_values(message, MAX_VALUES):
            return True
        text = f"more than {MAX_VALUES} values, the limit of a request of more than"
        self._refuse(message[:BEGINNING_BYTES], f"{text} {LONG_MESSAGE_BYTES} bytes")
        return False

    def _refuse(self, beginning: bytes, text: str) -> None:
        named = read_head(beginning).id
        error = RemoteError(INVALID_REQUEST, f"invalid request frame: {text}")
        self._client.refuse("invalid" if named is None else named, error)
