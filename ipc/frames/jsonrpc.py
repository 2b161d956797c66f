"""Reads JSON-RPC 2.0 answers and notifications of older gateways as our own frames. Pure.

Only clients get them, and only from foreign gateways (ClawX 001 understood both forms).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

from ipc.frames.websocket import MAX_METHOD, ErrorShape, Event, Response
from ipc.nesting import MALFORMED, decode_json


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""
    data: Any = UNSET


class _Message(msgspec.Struct):
    jsonrpc: Literal["2.0"]
    id: int | str | UnsetType | None = UNSET
    method: str | UnsetType = UNSET
    params: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: _Error | UnsetType | None = UNSET


def read(data: bytes | str) -> Response | Event | None:
    """Return the answer or the notification in one message, ``None`` when it is neither."""
    try:
        message = decode_json(data, _Message)
    except MALFORMED:
        return None
    if message.id is UNSET or message.id is None:
        if message.method is UNSET or not 0 < len(message.method) <= MAX_METHOD:
            return None
        return Event(message.method, message.params)
    if message.method is not UNSET:
        return None  # a request: a gateway sends none of that kind
    if isinstance(message.error, _Error):
        text = message.error.message or "failed without a reason"
        shape = ErrorShape(str(message.error.code), text, details=message.error.data)
        return Response(message.id, False, UNSET, shape)
    return Response(message.id, True, message.result)
