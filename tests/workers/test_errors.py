"""The errors that a plugin raises."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ipc.frames import words
from workers import errors
from workers.errors import (
    LONGEST_WAIT,
    ChannelError,
    MaybeSent,
    RateLimited,
    SendFailed,
    Transient,
)


def test_every_error_of_a_plugin_is_one_family() -> None:
    classes = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and value.__module__ == errors.__name__
    }
    assert {each.__name__ for each in classes} == {
        "ChannelError",
        "Finished",
        "LoggedOut",
        "LoginExpired",
        "MaybeSent",
        "MediaFailed",
        "Misconfigured",
        "NeedsAPerson",
        "NeedsLogin",
        "RateLimited",
        "SendFailed",
        "Transient",
        "TurnRefused",
        "TurnTooLarge",
    }
    assert all(issubclass(each, ChannelError) for each in classes)


@pytest.mark.parametrize("retryable", [True, False])
def test_a_failed_send_says_whether_trying_again_can_help(retryable: bool) -> None:
    error = SendFailed("no such room", retryable=retryable)
    assert (str(error), error.retryable) == ("no such room", retryable)


def test_a_failed_send_is_final_unless_it_says_otherwise() -> None:
    assert SendFailed("no").retryable is False


def test_the_exit_codes_are_those_that_the_supervisor_reads() -> None:
    names = ("EXIT_OK", "EXIT_TEMPORARY", "EXIT_NEEDS_LOGIN", "EXIT_CONFIG")
    assert [getattr(errors, name) for name in names] == [0, 75, 77, 78]
    assert all(getattr(errors, name) == getattr(words, name) for name in names)


@pytest.mark.parametrize(
    ("fields", "retryable"),
    [
        ({"reason": "rate_limited"}, True),
        ({"reason": "unavailable"}, True),
        ({"reason": "blocked"}, False),
        ({"reason": "too_long"}, False),
        ({"retry_after": 3.0}, True),
        ({"reason": "unavailable", "retryable": False}, False),
        ({"reason": "forbidden", "retryable": True}, True),
    ],
)
def test_its_reason_decides_unless_it_is_overruled(fields: dict[str, Any], retryable: bool) -> None:
    assert SendFailed("no", **fields).retryable is retryable


@pytest.mark.parametrize("fields", [{"reason": "bad luck"}, {"scope": "world"}])
def test_an_unknown_word_is_refused_with_those_there_are(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is none of"):
        SendFailed("no", **fields)


def test_what_may_have_arrived_is_never_to_be_sent_again() -> None:
    error = MaybeSent("cut")
    assert (str(error), error.maybe_sent, error.retryable) == ("cut", True, False)
    assert not SendFailed("no").maybe_sent


def test_a_passing_fault_may_name_its_time() -> None:
    assert Transient("busy", retry_after=90).retry_after == 90
    assert Transient().retry_after is None


@pytest.mark.parametrize("error", [Transient, RateLimited, SendFailed])
@pytest.mark.parametrize("wait", [1e300, math.inf, math.nan])
def test_a_wait_without_an_end_has_a_bound(error: Any, wait: float) -> None:
    assert error("busy", retry_after=wait).retry_after == LONGEST_WAIT
