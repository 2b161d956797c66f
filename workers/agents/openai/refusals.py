"""Decides what an endpoint's refusal means for a turn. Pure.

The status decides most; the text of the body only distinguishes causes that share a status: a
conversation that is too long, a content filter, an account without credit.
"""

from __future__ import annotations

import re

from workers.agents.answers import shown
from workers.errors import (
    Misconfigured,
    NeedsLogin,
    RateLimited,
    Transient,
    TurnRefused,
    TurnTooLarge,
)

PASSING = {408, 409, 425}
_TOO_LONG = re.compile(
    r"context[ _-]?(?:length|window|size)|maximum context|exceed_context_size|too many tokens"
    r"|(?:prompt|input|request) is too (?:long|large)",
    re.IGNORECASE,
)
_FILTERED = re.compile(r"content[ _-]?(?:filter|policy|management)|safety", re.IGNORECASE)
_NO_CREDIT = re.compile(r"insufficient_quota|billing|credit balance", re.IGNORECASE)
_TOO_MANY = re.compile(r"rate[ _-]?limit|too many requests", re.IGNORECASE)
_INVALID = re.compile(r"invalid_request|invalid_prompt|bad_request", re.IGNORECASE)


def refusal_of(status: int, body: object, retry_after: float | None) -> Exception:
    """Return the exception for an error status; ``body`` is the JSON or text of the response."""
    words = _words(body)
    text = f"the endpoint answered HTTP {status}: {shown(words)}"
    if status == 401:
        return NeedsLogin(f"{text}; apiKey is wrong or missing")
    if status == 402 or (status == 429 and _NO_CREDIT.search(words)):
        return Misconfigured(f"{text}; the provider's account has no credit")
    if status == 429:
        return RateLimited(text, retry_after=retry_after)
    if status >= 500 or status in PASSING:
        return Transient(text, retry_after=retry_after)
    if 300 <= status < 400:
        return Misconfigured(f"{text}; redirects are not followed: correct baseUrl")
    if status == 413:
        return TurnTooLarge(text)
    if status in (400, 422):
        return _refused(words, text)
    if status == 403 and _FILTERED.search(words):
        return TurnRefused(f"{text}; a content filter")
    return Misconfigured(f"{text}; check baseUrl, model and apiKey")


def failure_of(body: object) -> Exception:
    """Return the exception for an error that came within a stream, without a status."""
    words = _words(body)
    code = body.get("code") if isinstance(body, dict) else None
    if isinstance(code, str) and code.isascii() and code.isdigit():
        code = int(code[:9])
    if isinstance(code, int) and 400 <= code <= 599:
        return refusal_of(code, body, None)
    text = f"the endpoint reported an error: {shown(words)}"
    if _NO_CREDIT.search(words):
        return Misconfigured(f"{text}; the provider's account has no credit")
    if _TOO_MANY.search(words):
        return RateLimited(text)
    if _TOO_LONG.search(words) or _FILTERED.search(words) or _INVALID.search(words):
        return _refused(words, text)
    return Transient(text)


def _refused(words: str, text: str) -> TurnRefused:
    if _TOO_LONG.search(words):
        return TurnTooLarge(f"{text}; too long for the model: lower historyTokens")
    if _FILTERED.search(words):
        return TurnRefused(f"{text}; a content filter")
    return TurnRefused(text)


def _words(body: object) -> str:
    """Return the message, code and type of an error body as one text of limited length."""
    if isinstance(body, dict):
        inner = body.get("error")
        if isinstance(inner, dict | str):
            return _words(inner)
        known = [body.get(name) for name in ("type", "code", "message", "detail")]
        body = " ".join(str(each)[:2000] for each in known if each not in (None, ""))
    return str(body)[:4000] if body not in (None, "") else "no reason given"
