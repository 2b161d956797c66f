"""What ends an account decides its exit code, its cause and its last words."""

from __future__ import annotations

import pytest

from workers.errors import (
    ChannelError,
    Finished,
    LoggedOut,
    Misconfigured,
    NeedsLogin,
    SendFailed,
    Transient,
)
from workers.process.endings import MAX_TEXT, Ending, ending_of

BOOM = "RuntimeError: run boom second line"


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (Finished("done"), Ending(0, "finished", "done")),
        (LoggedOut("elsewhere"), Ending(0, "logged_out", "elsewhere")),
        (Transient("down"), Ending(75, "transient", "down")),
        (NeedsLogin("revoked"), Ending(77, "needs_login", "revoked")),
        (Misconfigured("no server"), Ending(78, "misconfigured", "no server")),
        (NeedsLogin("no", final=True), Ending(77, "needs_login", "no", True)),
        (Misconfigured("no", final=True), Ending(78, "misconfigured", "no", True)),
        (Transient("down\nfor good"), Ending(75, "transient", "down for good")),
        (NeedsLogin(), Ending(77, "needs_login", "needs login")),
        (ChannelError("?"), Ending(1, "failed", "workers.errors.ChannelError: ?")),
        (SendFailed("no"), Ending(1, "failed", "workers.errors.SendFailed: no")),
        (ValueError("bad"), Ending(1, "failed", "ValueError: bad")),
        (SystemExit(3), Ending(1, "failed", "SystemExit: 3")),
        (RuntimeError("run boom\n  second line"), Ending(1, "failed", BOOM)),
        (
            SyntaxError("odd", ("x.py", 1, 1, "x = =", 1, 2)),
            Ending(1, "failed", "SyntaxError: odd"),
        ),
        (KeyError(), Ending(1, "failed", "KeyError")),
    ],
)
def test_each_error_has_one_meaning(error: BaseException, ending: Ending) -> None:
    assert ending_of(error) == ending


def test_the_gravest_of_a_group_wins() -> None:
    inner = ExceptionGroup("reader", [Transient("reset"), NeedsLogin("revoked")])
    assert ending_of(ExceptionGroup("tasks", [ValueError("x"), inner])).cause == "needs_login"


def test_a_group_of_strangers_names_the_first() -> None:
    group = ExceptionGroup("tasks", [ValueError("first"), KeyError("second")])
    assert ending_of(group) == Ending(1, "failed", "ValueError: first")


def test_last_words_are_bounded() -> None:
    assert len(ending_of(Transient("x" * 10_000)).text) == MAX_TEXT
    assert len(ending_of(ValueError("x" * 10_000)).text) == MAX_TEXT


def test_notes_do_not_hide_the_error() -> None:
    error = ValueError("bad")
    error.add_note("seen in room 5")
    assert ending_of(error).text == "ValueError: bad"
