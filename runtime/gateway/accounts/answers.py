"""What an account has answered to a call: its plugin may say anything, and must break nothing."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
import structlog

from ipc.errors import RemoteError
from ipc.frames.data import MALFORMED
from ipc.frames.words import UNAVAILABLE
from workers.messages import Sent

T = TypeVar("T")

AN_OBJECT = msgspec.json.Decoder(dict[str, Any])
ANYTHING = msgspec.json.Decoder(object)
SENT = msgspec.json.Decoder(Sent)

log = structlog.get_logger("gateway.answers")


def read_answer(key: str, answer: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Return the answer of the account ``key``; raises ``RemoteError`` where it is none.

    It is not ``retryable``: what was asked for has probably been done.
    """
    try:
        return decoder.decode(answer)
    except MALFORMED as error:
        text = f"{key}: malformed answer ({error}); the request may have been executed"
        log.error("malformed answer", account=key, why=str(error))
        raise RemoteError(UNAVAILABLE, text) from None
