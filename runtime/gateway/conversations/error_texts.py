"""Holds all error texts that people in chats may see instead of an answer. Pure.

The list is fixed: no word of a provider, of a program, of a configuration or of a traceback gets
into a chat, to a client or to a caller of the HTTP API. Those words are in the logs alone.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE

ErrorKind = Literal["refusal", "timeout", "rate_limit", "context_length", "unknown"]


class ErrorText(msgspec.Struct, frozen=True):
    """An error: the text for people, and the protocol's code and reason for clients.

    ``kind`` is ``errorKind`` of the event ``chat``. ``retryable``: the same may work later.
    """

    text: str
    code: str = UNAVAILABLE
    kind: ErrorKind = "unknown"
    retryable: bool = False


_FAILED = "Something went wrong while the answer was made. Please try again."
_BUSY = "The agent is asked too much at the moment. Please try again"
# By the kind of an error, or by the end of a run that has none.
TEXTS = {
    "transient": ErrorText(
        "The agent could not be reached just now. Please try again.", retryable=True
    ),
    "rate_limited": ErrorText(f"{_BUSY} in a minute.", kind="rate_limit", retryable=True),
    "rate_limited_minutes": ErrorText(
        f"{_BUSY} in some minutes.", kind="rate_limit", retryable=True
    ),
    "rate_limited_hours": ErrorText(f"{_BUSY} in some hours.", kind="rate_limit", retryable=True),
    "refused": ErrorText(
        "The agent declined to answer this.", code=INVALID_REQUEST, kind="refusal"
    ),
    "misconfigured": ErrorText(
        "The agent is not set up correctly. Whoever runs it has to correct that."
    ),
    "needs_login": ErrorText("The agent is not logged in. Whoever runs it has to log it in again."),
    "failed": ErrorText(_FAILED, retryable=True),
    "died": ErrorText(
        "The agent ended unexpectedly while it answered. Please try again.", retryable=True
    ),
    "unavailable": ErrorText(
        "The agent is not running at the moment. Please try again later.", retryable=True
    ),
    "too_large": ErrorText(
        "This conversation has become too long for one turn. /new begins another.",
        code=INVALID_REQUEST,
        kind="context_length",
    ),
    "empty": ErrorText("The agent had nothing to say to this."),
    "timeout": ErrorText(
        "The answer took too long and was given up. Please try again.",
        code="AGENT_TIMEOUT",
        kind="timeout",
        retryable=True,
    ),
    "expired": ErrorText(
        "Your message waited too long and was not answered. Please send it again.",
        code="AGENT_TIMEOUT",
        kind="timeout",
        retryable=True,
    ),
    "restart": ErrorText(
        "The answer was lost in a restart. Please send your message again.", retryable=True
    ),
}
UNKNOWN = TEXTS["failed"]


def error_text(kind: str, retry_after: float | None = None) -> ErrorText:
    """Return the texts for an error; an unknown one is reported as a general failure.

    ``retry_after``: the agent was asked to wait for so many seconds.
    """
    if kind == "rate_limited" and retry_after is not None and not math.isnan(retry_after):
        if retry_after > 3600:
            return TEXTS["rate_limited_hours"]
        if retry_after > 60:
            return TEXTS["rate_limited_minutes"]
    return TEXTS.get(kind, UNKNOWN)


def end_text(end: str, kind: str = "", retry_after: float | None = None) -> ErrorText | None:
    """Return the text for a run that ended so; ``None`` if its answer or its cause explains it.

    ``end`` is ``final``, ``aborted``, ``error``, ``timeout`` or ``expired``.
    """
    if end in ("final", "aborted"):
        return None
    return error_text(end if end in ("timeout", "expired") else kind, retry_after)
