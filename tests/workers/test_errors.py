"""The errors that a plugin raises."""

from __future__ import annotations

import pytest

from ipc.frames import words
from workers import errors
from workers.errors import ChannelError, SendFailed


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
        "Misconfigured",
        "NeedsAPerson",
        "NeedsLogin",
        "SendFailed",
        "Transient",
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
