"""Decides what an exception in a turn means, and limits what a turn yields. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from workers.agent import Delta, Final, Kind, Notice, ToolCall, ToolResult, TurnEvent, TurnOutcome
from workers.errors import (
    ChannelError,
    LoggedOut,
    Misconfigured,
    NeedsLogin,
    RateLimited,
    SendFailed,
    Transient,
    TurnRefused,
    TurnTooLarge,
)
from workers.messages import MAX_TEXT
from workers.process.endings import last_line
from workers.process.explanations import Explain, is_network_error, members, unexplained

MAX_ERROR = 2_000  # characters of an error's text
MAX_EVENT_BYTES = 32 * 1024  # of a delta, which is split, a notice and a result, which are cut
MAX_CALL_BYTES = 256 * 1024  # of a tool's call, which can be neither
MAX_OUTCOME_BYTES = 768 * 1024
PIECE = MAX_EVENT_BYTES // 8  # characters; each may take 6 bytes of JSON
MAX_EVENTS = 100_000  # of one turn

# The first that matches wins when several went wrong at once: what needs a person is first.
_KINDS: tuple[tuple[type[ChannelError], Kind], ...] = (
    (Misconfigured, "misconfigured"),
    (NeedsLogin, "needs_login"),
    (LoggedOut, "needs_login"),
    (TurnTooLarge, "too_large"),
    (TurnRefused, "refused"),
    (RateLimited, "rate_limited"),
    (Transient, "transient"),
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(TurnOutcome).decode


class OutOfBounds(Exception):
    """A turn has exceeded its limits; the text says how."""


def outcome_of(error: BaseException, explain: Explain = unexplained) -> TurnOutcome:
    """Return the outcome of a turn that has raised; for a group, that of its most severe member.

    ``explain`` is called for each member that is not a ``ChannelError``. A bug is more severe than
    a network error beside it, which would otherwise hide it.
    """
    leaves = members(error, explain)
    for raised, kind in _KINDS:
        for leaf in leaves:
            if isinstance(leaf, raised):
                text = str(leaf) or kind.replace("_", " ")
                return _failed(kind, text, getattr(leaf, "retry_after", None))
    for leaf in leaves:
        if not is_network_error(leaf) and not (isinstance(leaf, SendFailed) and leaf.retryable):
            return _failed("failed", _describe(leaf))
    return _failed("transient", _describe(leaves[0]), getattr(leaves[0], "retry_after", None))


def _describe(error: BaseException) -> str:
    known = isinstance(error, ChannelError | OutOfBounds)
    return str(error) if known and str(error) else last_line(error)


def _failed(kind: Kind, text: str, retry_after: float | None = None) -> TurnOutcome:
    return TurnOutcome("error", kind=kind, error=text[:MAX_ERROR], retry_after=retry_after)


class TurnOutput:
    """The output of one turn: counts events, and joins the deltas of the answer."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._length = 0
        self._events = 0

    def payloads(self, event: TurnEvent) -> Iterator[bytes | str]:
        """Yield an event as JSON or, for a delta, text: in pieces if long, nothing if empty.

        Raises ``OutOfBounds`` beyond the limits, ``UnicodeError`` for invalid text.
        """
        match event:
            case Delta():
                text = _text(event.text)
                self._length += len(text)
                if self._length > MAX_TEXT:
                    raise OutOfBounds(f"an answer of more than {MAX_TEXT} characters")
                self._texts.append(text)
                yield from self._counted(_pieces(text))
            case ToolCall():
                payload = _encode(event)
                if len(payload) > MAX_CALL_BYTES:
                    raise OutOfBounds(f"the call of a tool of {len(payload)} bytes")
                yield from self._counted([payload])
            case ToolResult():
                yield from self._counted([_cut(event, "output", _text(event.output))])
            case Notice():
                yield from self._counted([_cut(event, "text", _text(event.text))])
            case _:
                raise OutOfBounds(f"turn yielded {type(event).__name__}, which is not an event")

    def _counted(self, payloads: Iterable[bytes | str]) -> Iterator[bytes | str]:
        for payload in payloads:
            self._events += 1
            if self._events > MAX_EVENTS:
                raise OutOfBounds(f"more than {MAX_EVENTS} events")
            yield payload

    def outcome(self, final: Final | None = None) -> TurnOutcome:
        """Return the outcome with the whole answer; raises ``OutOfBounds`` if it is too long."""
        if final is None:
            final = Final()
        text = "".join(self._texts) if final.text is None else _text(final.text)
        if len(text) > MAX_TEXT:
            raise OutOfBounds(f"an answer of {len(text)} characters, at most {MAX_TEXT} go")
        return TurnOutcome("final", msgspec.structs.replace(final, text=text))


def outcome_payload(outcome: TurnOutcome) -> bytes:
    """Return an outcome as JSON; raises ``OutOfBounds`` for one that is too large.

    An agent may have put anything into it, so any encoding error may be raised, too.
    """
    payload = _encode(outcome)
    if len(payload) > MAX_OUTCOME_BYTES:
        raise OutOfBounds(f"an answer of {len(payload)} bytes, at most {MAX_OUTCOME_BYTES} go")
    _decode(payload)
    return payload


def _text(value: object) -> str:
    """Return an agent's value for a text; raises ``OutOfBounds`` if it is not text.

    The encoder would otherwise convert bytes and dates to text.
    """
    if not isinstance(value, str):
        raise OutOfBounds(f"{type(value).__name__} instead of a text")
    return value


def _pieces(text: str) -> Iterable[str]:
    if not text.isascii():
        text.encode()  # what is no text fails here, and not where it is sent
    if len(text) <= PIECE:
        return [text] if text else []
    return (text[start : start + PIECE] for start in range(0, len(text), PIECE))


def _cut(event: ToolResult | Notice, name: str, text: str) -> bytes:
    """Return an event as JSON, with its text cut if it is too long."""
    payload = _encode(event)
    if len(payload) <= MAX_EVENT_BYTES:
        return payload
    kept = f"{text[:PIECE]}… ({len(text) - PIECE} characters more)"
    return _encode(msgspec.structs.replace(event, **{name: kept}))
