"""What real endpoints answer, by their documentation and their source, and what it means."""

from __future__ import annotations

from typing import Any

import pytest

from workers.agents.openai.refusals import failure_of, refusal_of
from workers.errors import (
    Misconfigured,
    NeedsLogin,
    RateLimited,
    Transient,
    TurnRefused,
    TurnTooLarge,
)

LONG = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000"


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, {"message": "Incorrect API key", "code": "invalid_api_key"}, NeedsLogin, "apiKey"),
        (402, {"message": "no"}, Misconfigured, "no credit"),
        (403, {"message": "Country not supported"}, Misconfigured, "check baseUrl"),
        (403, {"message": "flagged by the content policy"}, TurnRefused, "content filter"),
        (404, {"message": "model 'x' not found"}, Misconfigured, "model 'x'"),
        (404, "404 page not found", Misconfigured, "page not found"),
        (308, "", Misconfigured, "correct baseUrl"),
        (405, {"detail": "Method Not Allowed"}, Misconfigured, "Not Allowed"),
        (408, "", Transient, "HTTP 408"),
        (409, "", Transient, "HTTP 409"),
        (429, {"message": "Rate limit reached"}, RateLimited, "Rate limit"),
        (429, {"message": "You exceeded", "code": "insufficient_quota"}, Misconfigured, "credit"),
        (500, {"error": "oops"}, Transient, "oops"),
        (503, None, Transient, "no reason given"),
        (529, {"error": {"message": "Overloaded"}}, Transient, "Overloaded"),
        (400, {"message": LONG, "code": "context_length_exceeded"}, TurnTooLarge, "historyTokens"),
        (400, {"message": LONG}, TurnTooLarge, "historyTokens"),
        (400, {"type": "exceed_context_size_error", "message": "x"}, TurnTooLarge, "historyTokens"),
        (413, "", TurnTooLarge, "HTTP 413"),
        (400, {"code": "content_filter", "message": "x"}, TurnRefused, "content filter"),
        (400, {"message": "bad tools"}, TurnRefused, "bad tools"),
        (422, {"detail": [{"msg": "field required"}]}, TurnRefused, "field required"),
        (418, [1, {"a": "b"}], Misconfigured, "HTTP 418"),
    ],
)
def test_each_refusal_has_its_error_class(
    status: int, body: Any, kind: type[Exception], words: str
) -> None:
    error = refusal_of(status, body, 7.0)
    assert type(error) is kind
    assert words in str(error)
    assert getattr(error, "retry_after", 7.0) == 7.0


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"message": "x", "code": 429}, RateLimited),
        ({"message": "x", "code": "503"}, Transient),
        ({"message": "x", "code": 400}, TurnRefused),
        ({"message": LONG}, TurnTooLarge),
        ({"message": "x", "code": "rate_limit_exceeded"}, RateLimited),
        ({"message": "x", "type": "insufficient_quota"}, Misconfigured),
        ({"message": "x", "type": "invalid_request_error"}, TurnRefused),
        ({"message": "x", "type": "server_error"}, Transient),
        ({"code": True}, Transient),
        ("overloaded", Transient),
    ],
)
def test_an_error_in_a_stream_means(body: Any, kind: type[Exception]) -> None:
    assert type(failure_of(body)) is kind


def test_a_long_body_does_not_fill_the_log() -> None:
    assert len(str(refusal_of(400, {"message": "x" * 100_000}, None))) < 500
