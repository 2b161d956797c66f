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
        (Transient("busy", retry_after=7200), Ending(75, "transient", "busy", retry_after=7200)),
        (OSError(113, "No route"), Ending(75, "transient", "No route")),
        (
            ConnectionRefusedError(111, "Connect call failed ('10.0.0.1', 6697)"),
            Ending(75, "transient", "Connection refused by 10.0.0.1:6697"),
        ),
        (OSError(28, "Full"), Ending(75, "transient", "OSError: [Errno 28] Full")),
        (OSError(24, "Too many"), Ending(1, "failed", "OSError: [Errno 24] Too many")),
        (TimeoutError(), Ending(75, "transient", "no answer in time")),
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


def test_the_longest_wait_that_was_asked_for_counts() -> None:
    group = ExceptionGroup("a", [Transient("x", retry_after=5), Transient("y", retry_after=60)])
    assert ending_of(group).retry_after == 60


def test_a_mistake_is_graver_than_the_network_beside_it() -> None:
    group = ExceptionGroup("tasks", [ConnectionResetError("reset"), KeyError("room")])
    assert ending_of(group) == Ending(1, "failed", "KeyError: 'room'")
    alone = ExceptionGroup("tasks", [ConnectionResetError("reset"), TimeoutError()])
    assert ending_of(alone) == Ending(75, "transient", "ConnectionResetError: reset")


def test_the_plugin_explains_members_of_a_group() -> None:
    def explain(error: BaseException) -> ChannelError | None:
        return NeedsLogin("token revoked", final=True) if isinstance(error, KeyError) else None

    group = ExceptionGroup("tasks", [TimeoutError(), KeyError("401")])
    assert ending_of(group, explain) == Ending(77, "needs_login", "token revoked", True)


def test_the_text_of_an_ending_is_limited() -> None:
    assert len(ending_of(Transient("x" * 10_000)).text) == MAX_TEXT
    assert len(ending_of(ValueError("x" * 10_000)).text) == MAX_TEXT


def test_notes_do_not_hide_the_error() -> None:
    error = ValueError("bad")
    error.add_note("seen in room 5")
    assert ending_of(error).text == "ValueError: bad"
