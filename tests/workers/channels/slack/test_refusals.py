from __future__ import annotations

import pytest

from workers.channels.slack.refusals import SlackRefusal, ending_of, ends_account, failure_of
from workers.errors import (
    ChannelError,
    MaybeSent,
    Misconfigured,
    NeedsLogin,
    SendFailed,
    Transient,
)
from workers.web.faults import NoAnswer, Unreachable


def refusal(error: str, needed: str = "", retry_after: float | None = None) -> SlackRefusal:
    return SlackRefusal("chat.postMessage", error, needed, retry_after=retry_after)


@pytest.mark.parametrize(
    ("error", "kind", "about"),
    [
        (refusal("invalid_auth"), NeedsLogin, "install the app again"),
        (refusal("token_revoked"), NeedsLogin, "token_revoked"),
        (refusal("missing_scope", "chat:write"), Misconfigured, "lacks the scope chat:write: add"),
        (refusal("not_allowed_token_type"), Misconfigured, "wrong kind"),
        (refusal("ratelimited", retry_after=9), Transient, "ratelimited"),
        (refusal("what_is_new"), Transient, "what_is_new"),
        (Unreachable("no way"), Transient, "no way"),
        (NoAnswer("no word"), Transient, "no word"),
    ],
)
def test_fatal_errors_end_the_account_with_their_class(
    error: Exception, kind: type[ChannelError], about: str
) -> None:
    found = ending_of(error)
    assert type(found) is kind
    assert about in str(found)


def test_only_what_is_revoked_is_final() -> None:
    finals = {
        code: ending_of(refusal(code)).final  # type: ignore[attr-defined]
        for code in ("invalid_auth", "account_inactive", "token_revoked", "token_expired")
    }
    assert [code for code, final in finals.items() if not final] == ["invalid_auth"]


def test_the_app_s_token_has_cures_of_its_own() -> None:
    assert "App-Level Tokens" in str(ending_of(refusal("invalid_auth"), "appToken"))
    missing = ending_of(refusal("missing_scope", "connections:write"), "appToken")
    assert "connections:write" in str(missing)
    assert "App-Level Tokens" in str(missing)
    assert ending_of(refusal("ratelimited", retry_after=9)).retry_after == 9  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("error", "reason", "about"),
    [
        (refusal("channel_not_found"), "not_found", ""),
        (refusal("not_in_channel"), "forbidden", "/invite"),
        (refusal("is_archived"), "forbidden", "archived"),
        (refusal("missing_scope", "files:write"), "forbidden", "lacks the scope files:write"),
        (refusal("messages_tab_disabled"), "blocked", "App Home"),
        (refusal("msg_too_long"), "too_long", ""),
        (refusal("ratelimited", retry_after=30), "rate_limited", ""),
        (refusal("service_unavailable"), "unavailable", ""),
        (refusal("token_revoked"), "unavailable", ""),
        (refusal("invalid_blocks"), "invalid", ""),
        (Unreachable("no way"), "unavailable", "no way"),
    ],
)
def test_why_something_was_not_sent(error: Exception, reason: str, about: str) -> None:
    found = failure_of(error)
    assert type(found) is SendFailed
    assert found.reason == reason
    assert about in str(found)


@pytest.mark.parametrize(
    "error", [refusal("internal_error"), refusal("fatal_error"), NoAnswer("no word")]
)
def test_what_may_have_been_sent_is_not_tried_again(error: Exception) -> None:
    found = failure_of(error)
    assert type(found) is MaybeSent
    assert not found.retryable


def test_a_limit_holds_the_whole_account() -> None:
    found = failure_of(refusal("ratelimited", retry_after=30))
    assert (found.retry_after, found.scope, found.retryable) == (30, "account", True)


def test_which_refusals_mean_that_no_call_works() -> None:
    assert ends_account(refusal("account_inactive"))
    assert not ends_account(refusal("not_in_channel"))
    assert not ends_account(NoAnswer("x"))
