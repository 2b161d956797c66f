"""Parses the events of a turn from lines of JSON, and limits the size of an answer. Pure.

The shapes are those of ``workers.agent``, each with its ``type``: ``delta``, ``toolCall``,
``toolResult``, ``notice``, ``final``, and ``error``, which ends the turn.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ipc.nesting import MALFORMED, decode_json
from workers.agent import Delta, Final, Kind, Notice, ToolCall, ToolResult, TurnEvent
from workers.errors import (
    ChannelError,
    Misconfigured,
    NeedsLogin,
    RateLimited,
    Transient,
    TurnRefused,
    TurnTooLarge,
)

MAX_EVENT = 1024 * 1024  # bytes of one line, or of the data of one event
MAX_SHOWN = 300  # characters of foreign text in an error
EVENTS = {"delta": Delta, "toolCall": ToolCall, "toolResult": ToolResult, "notice": Notice}

AnswerBytes = Annotated[
    int,
    Meta(ge=1024, le=16 * 1024 * 1024),
    Meta(description="Bytes of one answer at most; a longer one ends the turn."),
]
SilentSeconds = Annotated[
    float,
    Meta(ge=0.1, le=3600),
    Meta(description="Seconds without a byte of the answer after which the turn fails."),
]
Instructions = Annotated[str, Meta(max_length=65_536)]
HistoryMessages = Annotated[
    int,
    Meta(ge=0, le=1000),
    Meta(description="Earlier messages of the conversation that are sent with each turn, at most."),
]
HistoryTokens = Annotated[
    int,
    Meta(ge=0, le=1_000_000),
    Meta(description="Estimated tokens of the conversation that are sent with each turn, at most."),
]
DEFAULT_ANSWER_BYTES = 1024 * 1024


class BrokenAnswer(ChannelError):
    """An answer is malformed or too large; its sender is at fault.

    Asking again would not help. The text is for the log.
    """


class ReportedError(
    msgspec.Struct,
    frozen=True,
    rename="camel",
    forbid_unknown_fields=True,
    tag_field="type",
    tag="error",
):
    """An error that a program or server reports, which ends the turn."""

    message: str = ""
    kind: Kind = "failed"
    retry_after: Annotated[float, Meta(ge=0, le=86_400)] | None = None

    def exception(self) -> Exception:
        """Return the exception that stands for it."""
        text = shown(self.message) or "an error without a message was reported"
        match self.kind:
            case "transient":
                return Transient(text, retry_after=self.retry_after)
            case "rate_limited":
                return RateLimited(text, retry_after=self.retry_after)
            case "refused":
                return TurnRefused(text)
            case "too_large":
                return TurnTooLarge(text)
            case "misconfigured":
                return Misconfigured(text)
            case "needs_login":
                return NeedsLogin(text)
        return BrokenAnswer(text)


class AnswerBound:
    """Counts the bytes of an answer; raises ``BrokenAnswer`` beyond ``most``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = most

    def count(self, size: int) -> None:
        """Count ``size`` more bytes."""
        self._left -= size
        if self._left < 0:
            raise BrokenAnswer(
                f"the answer is longer than {self._most} bytes; raise maxAnswerBytes to allow more"
            )


def read_object(text: bytes, what: str) -> dict[str, Any]:
    """Parse a JSON object, ``what`` in the text of ``BrokenAnswer``, which it raises."""
    try:
        value = decode_json(text, object)
    except MALFORMED as error:
        raise BrokenAnswer(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BrokenAnswer(f"{what} must be a JSON object")
    return value


def read_event(line: bytes, links: tuple[str, ...]) -> TurnEvent | Final:
    """Parse one line of JSON as an event; URLs of files must begin with one of ``links``.

    Raises ``BrokenAnswer`` for a malformed line, and the exception of an error that it reports.
    """
    value = read_object(line, "an event")
    kind = value.get("type")
    try:
        if isinstance(kind, str) and kind in EVENTS:
            event: TurnEvent = msgspec.convert(value, EVENTS[kind])
            return event
        if kind == "final":
            return read_final(value, links)
        if kind != "error":
            raise BrokenAnswer(f"an event of an unknown type: {shown(kind)}")
        reported = msgspec.convert(value, ReportedError)
    except msgspec.ValidationError as wrong:
        raise BrokenAnswer(f"an event {kind} is not valid: {wrong}") from None
    raise reported.exception()


def read_final(value: dict[str, object], links: tuple[str, ...]) -> Final:
    """Parse the final event of a turn. Raises ``msgspec.ValidationError`` and ``BrokenAnswer``."""
    final = msgspec.convert({key: each for key, each in value.items() if key != "type"}, Final)
    if any(not each.url.startswith(links) for each in final.attachments):
        raise BrokenAnswer(f"files go by an address that begins with {', '.join(links)}")
    return final


def without_nul(text: str) -> str:
    """Return a text without NUL characters, which no platform accepts."""
    return text.replace("\0", "") if "\0" in text else text


def shown(words: object) -> str:
    """Return a foreign text for use in an error: one line, cut to ``MAX_SHOWN`` characters."""
    line = " ".join(str(words)[: 4 * MAX_SHOWN].split())
    return line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]}…"
