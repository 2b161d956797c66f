"""Read the events of a turn out of lines of JSON, and bound what an answer may hold. Pure.

The shapes are those of ``workers.agent``, each with its ``type``: ``delta``, ``toolCall``,
``toolResult``, ``notice``, ``final``, and ``error``, which ends the turn.
"""

from __future__ import annotations

from typing import Annotated

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
MAX_SHOWN = 300  # characters of somebody else's words in an error
EVENTS = {"delta": Delta, "toolCall": ToolCall, "toolResult": ToolResult, "notice": Notice}

AnswerBytes = Annotated[
    int,
    Meta(ge=1024, le=16 * 1024 * 1024),
    Meta(description="Bytes of one answer at most; what is longer ends the turn."),
]
SilentSeconds = Annotated[
    float,
    Meta(ge=0.1, le=3600),
    Meta(description="Seconds without a byte of the answer after which the turn fails."),
]
DEFAULT_ANSWER_BYTES = 1024 * 1024


class BrokenAnswer(ChannelError):
    """What came is no answer, or too much of one: a fault of what has sent it.

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
    """An error that ends a turn, as a program or a server reports it."""

    message: str = ""
    kind: Kind = "failed"
    retry_after: Annotated[float, Meta(ge=0, le=86_400)] | None = None

    def exception(self) -> Exception:
        """Return what the turn raises for it."""
        text = shown(self.message) or "an error is reported, without a message"
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
    """Counts the bytes of an answer; more than ``most`` raise ``BrokenAnswer``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = most

    def take(self, size: int) -> None:
        """Count so many bytes more."""
        self._left -= size
        if self._left < 0:
            raise BrokenAnswer(
                f"the answer is longer than {self._most} bytes: maxAnswerBytes allows more"
            )


def read_event(line: bytes, links: tuple[str, ...]) -> TurnEvent | Final:
    """Return the event that a line of JSON holds; the URLs of files begin with one of ``links``.

    Raises ``BrokenAnswer`` for what is none, and for an error that is reported what it means.
    """
    try:
        value = decode_json(line, object)
    except MALFORMED as error:
        raise BrokenAnswer(f"no JSON: {error}") from None
    if not isinstance(value, dict):
        raise BrokenAnswer("an event is an object of JSON")
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
        raise BrokenAnswer(f"an event {kind} that is wrong: {wrong}") from None
    raise reported.exception()


def read_final(value: dict[str, object], links: tuple[str, ...]) -> Final:
    """Return the end of a turn; raises ``msgspec.ValidationError`` and ``BrokenAnswer``."""
    final = msgspec.convert({key: each for key, each in value.items() if key != "type"}, Final)
    if any(not each.url.startswith(links) for each in final.attachments):
        raise BrokenAnswer(f"files go by an address that begins with {', '.join(links)}")
    return final


def without_nul(text: str) -> str:
    """Return a text without NUL characters, which no platform takes and no program means."""
    return text.replace("\0", "") if "\0" in text else text


def shown(words: object) -> str:
    """Return somebody else's words for an error: one line, not too long."""
    line = " ".join(str(words)[: 4 * MAX_SHOWN].split())
    return line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]}…"
