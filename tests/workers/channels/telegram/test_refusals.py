from __future__ import annotations

import pytest

from workers.channels.telegram.objects import Parameters
from workers.channels.telegram.refusals import (
    ApiRefusal,
    ending_of,
    failure_of,
    is_markup,
    is_unauthorized,
    is_unchanged,
)
from workers.errors import MaybeSent, NeedsLogin, Transient
from workers.web.faults import NoAnswer, Unreachable

LONG = Parameters(retry_after=6775)


@pytest.mark.parametrize(
    ("code", "description", "reason"),
    [
        (429, "Too Many Requests: retry after 6775", "rate_limited"),
        (403, "Forbidden: bot was blocked by the user", "blocked"),
        (400, "Bad Request: chat not found", "not_found"),
        (400, "Bad Request: message is too long", "too_long"),
        (413, "Request Entity Too Large", "too_long"),
        (400, "Bad Request: not enough rights to send text messages to the chat", "forbidden"),
        (400, "Bad Request: something new", "invalid"),
        (401, "Unauthorized", "unavailable"),
    ],
)
def test_each_refusal_has_its_reason(code: int, description: str, reason: str) -> None:
    failure = failure_of(ApiRefusal("sendMessage", code, description, LONG))
    assert failure.reason == reason
    assert not failure.maybe_sent
    assert failure.retry_after == 6775, "however long it is"
    assert description in str(failure)


def test_a_longer_wait_than_a_day_counts_as_a_day() -> None:
    for asked, waited in ((1e300, 86_400), (-1.0, 0)):
        error = ApiRefusal("sendMessage", 429, "", Parameters(retry_after=asked))
        assert failure_of(error).retry_after == waited


def test_what_was_not_answered_may_have_been_sent() -> None:
    assert isinstance(failure_of(NoAnswer("sendMessage: no answer in time")), MaybeSent)
    assert isinstance(failure_of(ApiRefusal("sendMessage", 502, "Bad Gateway")), MaybeSent)
    unreached = failure_of(Unreachable("cannot connect"))
    assert (unreached.reason, unreached.retryable) == ("unavailable", True)


def test_only_a_code_says_that_the_token_is_refused() -> None:
    assert is_unauthorized(ApiRefusal("getUpdates", 401, ""))
    assert is_unauthorized(ApiRefusal("getMe", 404, "Not Found"))
    assert not is_unauthorized(ApiRefusal("getUpdates", 404, "Not Found"))
    assert not is_unauthorized(ApiRefusal("getMe", 400, "Unauthorized"))
    assert isinstance(ending_of(ApiRefusal("getMe", 401, "")), NeedsLogin)
    assert isinstance(ending_of(ApiRefusal("getMe", 500, "")), Transient)
    assert isinstance(ending_of(Unreachable("x")), Transient)


def test_what_the_words_of_a_400_mean() -> None:
    assert is_markup(ApiRefusal("m", 400, "Bad Request: can't parse entities: x"))
    assert not is_markup(ApiRefusal("m", 500, "can't parse entities"))
    assert is_unchanged(ApiRefusal("m", 400, "Bad Request: message is not modified: x"))
    assert not is_unchanged(ApiRefusal("m", 400, "Bad Request: message to edit not found"))
