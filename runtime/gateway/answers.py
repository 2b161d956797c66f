"""What an account has answered to a call: its plugin may say anything, and must break nothing."""

from __future__ import annotations

from typing import TypeVar

import msgspec
import structlog

from ipc.envelope import MALFORMED
from ipc.errors import RemoteError

T = TypeVar("T")

log = structlog.get_logger("gateway.answers")


def read_answer(key: str, answer: bytes, type: type[T]) -> T:
    """Return the answer of the account ``key``; raises ``RemoteError`` where it is none.

    It is not ``retryable``: what was asked for has probably been done.
    """
    try:
        return msgspec.json.decode(answer, type=type)
    except MALFORMED as error:
        text = f"{key}: malformed answer ({error}); the request may have been executed"
        log.error("malformed answer", account=key, why=str(error))
        raise RemoteError("UNAVAILABLE", text) from None
