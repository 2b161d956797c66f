"""A setup is done as a whole or undone, and is not cut off halfway."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ops.actions.setup_execution import carry_out
from ops.actions.setup_plan import Plan
from ops.exits import ExitCode, OperatorError

AGENT, ACCOUNT = ["agents", "add", "main"], ["channels", "add", "irc:a"]
WAIT = ["wait", "irc:a"]
RESTART = ["channels", "restart", "irc:a"]


@pytest.mark.parametrize("fails", [AGENT, ACCOUNT])
def test_what_is_refused_takes_back_what_was_done(tmp_path: Path, fails: list[str]) -> None:
    hidden = tmp_path / "secrets" / "a"
    ran: list[list[str]] = []

    def run(command: Sequence[str]) -> None:
        ran.append(list(command))
        if command == fails:
            raise OperatorError("refused")

    with pytest.raises(OperatorError, match="refused"):
        carry_out(Plan({hidden: "x"}, [["up"], AGENT, ACCOUNT, WAIT]), run)
    taken_back = [["agents", "remove", "main"]] if fails == ACCOUNT else []
    assert ran == [["up"], AGENT, *([ACCOUNT] if fails == ACCOUNT else []), *taken_back]
    assert not hidden.exists()


def ctrl_c(command: Sequence[str], at: list[str]) -> None:
    if command == at:
        signal.raise_signal(signal.SIGINT)  # a signal of the process another thread may take late


def refused_with_130(command: Sequence[str], at: list[str]) -> None:
    if command == at:
        raise OperatorError("`trunkline wait irc:a` failed", ExitCode.INTERRUPTED)


@pytest.mark.parametrize(
    ("interrupt", "at"),
    [(ctrl_c, AGENT), (ctrl_c, ACCOUNT), (ctrl_c, WAIT), (refused_with_130, WAIT)],
)
def test_ctrl_c_lets_it_finish_and_says_what_stands(
    tmp_path: Path, interrupt: Callable[[Sequence[str], list[str]], None], at: list[str]
) -> None:
    ran: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> None:
        ran.append(command)
        interrupt(command, at)

    hidden = tmp_path / "secrets" / "a"
    with pytest.raises(
        OperatorError, match=r"configuration is kept.*channels describe irc:a"
    ) as found:
        carry_out(Plan({hidden: "x"}, [AGENT, ACCOUNT, WAIT]), run)
    assert found.value.exit == ExitCode.INTERRUPTED
    assert ran == [AGENT, ACCOUNT, WAIT][: 3 if at == WAIT else 2]
    assert hidden.exists()


def test_ctrl_c_just_after_the_changes_does_not_say_that_nothing_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Sequence[str]] = []
    put_back = signal.signal

    def interrupted(number: int, handler: Any) -> Any:
        before = put_back(number, handler)
        if number == signal.SIGINT and ran:  # not before the changes
            raise KeyboardInterrupt
        return before

    monkeypatch.setattr(signal, "signal", interrupted)
    with pytest.raises(OperatorError, match=r"configuration is kept.*channels describe irc:a"):
        carry_out(Plan({tmp_path / "secrets" / "a": "x"}, [ACCOUNT, WAIT]), ran.append)
    assert ran == [ACCOUNT]


def test_setup_waits_for_the_account_at_the_end(tmp_path: Path) -> None:
    ran: list[Sequence[str]] = []
    carry_out(Plan({tmp_path / "s" / "a": "x"}, [ACCOUNT, WAIT]), ran.append)
    assert ran == [ACCOUNT, WAIT]
    assert (tmp_path / "s" / "a").read_text() == "x\n"


@pytest.mark.parametrize("fails", [ACCOUNT, RESTART, WAIT])
def test_a_file_that_was_there_is_put_back_only_where_nothing_refers_to_it(
    tmp_path: Path, fails: list[str]
) -> None:
    hidden = tmp_path / "secrets" / "a"
    hidden.parent.mkdir()
    hidden.write_text("before\n")

    def run(command: Sequence[str]) -> None:
        if command == fails:
            raise OperatorError("refused")

    with pytest.raises(OperatorError, match="refused") as found:
        carry_out(Plan({hidden: "after"}, [ACCOUNT, RESTART, WAIT]), run)
    assert hidden.read_text() == ("before\n" if fails == ACCOUNT else "after\n")
    assert ("asks for it again" in str(found.value)) == (fails != ACCOUNT)


def test_a_full_disk_takes_no_secret_that_was_there(tmp_path: Path) -> None:
    earlier, full = tmp_path / "secrets" / "a", tmp_path / "secrets" / "b"
    earlier.parent.mkdir()
    earlier.write_text("before" * 20)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    ran: list[Sequence[str]] = []
    try:
        with pytest.raises(OSError, match="File too large") as found:
            carry_out(Plan({earlier: "after", full: "x" * 200}, [ACCOUNT, WAIT]), ran.append)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert found.value.filename == str(full)
    assert earlier.read_text() == "before" * 20
    assert list(earlier.parent.iterdir()) == [earlier]
    assert ran == []


def test_nothing_is_kept_of_a_secret_that_was_replaced(tmp_path: Path) -> None:
    hidden = tmp_path / "secrets" / "a"
    for secret in ("before", "after"):
        carry_out(Plan({hidden: secret}, [RESTART]), lambda command: None)
    assert hidden.read_text() == "after\n"
    assert list(hidden.parent.iterdir()) == [hidden]
