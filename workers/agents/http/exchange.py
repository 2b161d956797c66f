"""Writes a turn as the body of a webhook, and reads answers and HTTP statuses. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from workers.agent import Final, Turn
from workers.agents.answers import BrokenAnswer, read_event, read_final, read_object, shown
from workers.agents.http.config import HttpAgentConfig
from workers.agents.prompts import instructions_of, window
from workers.errors import Misconfigured, RateLimited, Transient, TurnRefused, TurnTooLarge

TYPE = "turn"  # of the envelope
LINKS = ("https://", "http://", "data:")
REFUSED = {400, 422}
PASSING = {408, 409, 425}
_encode = msgspec.json.Encoder().encode


def body_of_turn(config: HttpAgentConfig, turn: Turn, timestamp: int) -> bytes:
    """Return the request body of a turn; ``timestamp`` is in epoch seconds."""
    cut = msgspec.structs.replace(
        turn,
        history=window(turn.history, config.history_messages, config.history_tokens),
        instructions=instructions_of(config.instructions, turn) or None,
    )
    when = datetime.fromtimestamp(timestamp, UTC).isoformat().replace("+00:00", "Z")
    return _encode({"type": TYPE, "timestamp": when, "data": cut})


def final_of(body: bytes) -> Final:
    """Parse an answer that is one JSON body; raises ``BrokenAnswer``, or the error it reports."""
    value = read_object(body, "an answer")
    if "type" in value:
        event = read_event(body, LINKS)
        if not isinstance(event, Final):
            raise BrokenAnswer("an answer that is not a stream must be one final event")
        return event
    if "text" not in value and "attachments" not in value:
        raise BrokenAnswer("an answer must have a text")
    try:
        return read_final(value, LINKS)
    except msgspec.ValidationError as error:
        raise BrokenAnswer(f"the answer is not valid: {error}") from None


def failure_of_status(status: int, words: str, retry_after: float | None) -> Exception:
    """Return the exception for an error status; ``words`` is the text of the body."""
    text = f"the server answered HTTP {status}"
    if words.strip():
        text = f"{text}: {shown(words)}"
    if status == 429:
        return RateLimited(text, retry_after=retry_after)
    if status >= 500 or status in PASSING:
        return Transient(text, retry_after=retry_after)
    if status == 413:
        return TurnTooLarge(text)
    if status in REFUSED:
        return TurnRefused(text)
    if 300 <= status < 400:
        return Misconfigured(f"{text}; redirects are not followed: correct url")
    return Misconfigured(f"{text}; check url and secret")
