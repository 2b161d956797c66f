from __future__ import annotations

import pytest

from workers.channels.discord.refusals import (
    DiscordRefusal,
    ending_of,
    ending_of_close,
    failure_of,
)
from workers.errors import MaybeSent, Misconfigured, NeedsLogin, Reason, Transient
from workers.web.faults import NoAnswer, Unreachable


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (403, 50007, "blocked"),
        (403, 50013, "forbidden"),
        (403, 0, "forbidden"),
        (404, 10003, "not_found"),
        (404, 0, "not_found"),
        (400, 50035, "invalid"),
        (400, 40005, "too_long"),
        (413, 0, "too_long"),
        (401, 0, "unavailable"),
        (429, 0, "rate_limited"),
    ],
)
def test_a_refusal_has_its_reason_by_its_number(status: int, code: int, reason: Reason) -> None:
    found = failure_of(DiscordRefusal("POST", status, code, "a text that decides nothing"))
    assert found.reason == reason
    assert not found.maybe_sent


@pytest.mark.parametrize(("everywhere", "scope"), [(True, "account"), (False, "chat")])
def test_a_limit_holds_the_chat_or_the_account(everywhere: bool, scope: str) -> None:
    error = DiscordRefusal("POST", 429, retry_after=7.5, everywhere=everywhere)
    found = failure_of(error)
    assert (found.retry_after, found.scope, found.retryable) == (7.5, scope, True)


def test_what_is_not_answered_may_have_been_done() -> None:
    assert isinstance(failure_of(NoAnswer("x")), MaybeSent)
    assert isinstance(failure_of(DiscordRefusal("POST", 502)), MaybeSent)
    assert failure_of(Unreachable("x")).reason == "unavailable"


@pytest.mark.parametrize(
    ("error", "kind", "retry_after"),
    [
        (DiscordRefusal("GET", 401), NeedsLogin, None),
        (DiscordRefusal("GET", 403), Transient, None),
        (DiscordRefusal("GET", 429, retry_after=60.0), Transient, 60.0),
        (Unreachable("x"), Transient, None),
        (NoAnswer("x"), Transient, None),
    ],
)
def test_what_ends_an_account_at_its_start(
    error: Exception, kind: type[Exception], retry_after: float | None
) -> None:
    found = ending_of(error)
    assert type(found) is kind
    assert getattr(found, "retry_after", None) == retry_after


def test_closes_that_end_nothing_and_those_that_do() -> None:
    goes_on = [None, 1000, 1001, 1006, 4000, 4003, 4007, 4008, 4009]
    assert [ending_of_close(code) for code in goes_on] == [None] * len(goes_on)
    ends = {code: type(ending_of_close(code)) for code in (4004, *range(4010, 4015))}
    assert ends == {4004: NeedsLogin} | dict.fromkeys(range(4010, 4015), Misconfigured)
    assert "switch on MESSAGE CONTENT INTENT" in str(ending_of_close(4014))
