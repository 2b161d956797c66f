"""The sentences of ``watch``."""

from __future__ import annotations

from typing import Any

import pytest

from ops.output.narration import Narrator, log_line, message_line
from tests.support.fakeserver import BACKOFF, HELD, NOW, account

NOW_S = NOW / 1000


def told(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    narrator = Narrator()
    narrator.set("irc:libera", before)
    return narrator.narrate("irc:libera", after, NOW_S)


def test_a_killed_worker_and_its_next_try() -> None:
    after = account("irc:libera", **BACKOFF | {"failures": 1, "nextTryAt": NOW + 5100})
    assert told(account("irc:libera"), after) == (
        "irc:libera  running → backoff  exited (signal 9), next try in 5.1 s"
    )


def test_failures_in_a_row_are_counted() -> None:
    line = told(account("irc:libera"), account("irc:libera", **BACKOFF))
    assert line == "irc:libera  running → backoff  exited (signal 9), 2 failures in a row"


def test_a_new_incarnation_starts_and_is_ready() -> None:
    starting = account("irc:libera", phase="starting", incarnation=4)
    assert told(account("irc:libera", **BACKOFF), starting) == (
        "irc:libera  backoff → starting  incarnation 4"
    )
    running = account("irc:libera", incarnation=4)
    assert told(starting, running) == (
        "irc:libera  starting → running  ready after 0.12 s, pid 4711"
    )


def test_one_that_is_ended_for_being_silent_says_so_twice() -> None:
    """How it ended, "exited (code 0)", would hide why."""
    silent = "silent for 31 s: process is stopped (SIGSTOP)"
    stopping = account("irc:libera", phase="stopping", cause="unhealthy", lastError=silent)
    assert told(account("irc:libera"), stopping) == (
        f"irc:libera  running → stopping  unhealthy: {silent}"
    )
    ended = BACKOFF | {"failures": 1, "lastError": silent, "lastExit": "exited (code 0)"}
    assert told(stopping, account("irc:libera", **ended)) == (
        f"irc:libera  stopping → backoff  {silent}"
    )


def test_a_stop_by_hand_shows_its_reason() -> None:
    line = told(account("irc:libera", phase="stopping"), account("irc:libera", **HELD))
    assert line == "irc:libera  stopping → stopped  held: moving house"


def test_an_account_that_needs_a_person_says_what_is_wrong() -> None:
    failed = account("irc:libera", phase="failed", lastError="bad password\x1b[0m")
    assert told(account("irc:libera"), failed) == (
        "irc:libera  running → failed  bad password\\x1b[0m"
    )


def test_a_change_of_health_is_told_without_a_step() -> None:
    silent = account("irc:libera", health="degraded: silent")
    assert told(account("irc:libera"), silent) == "irc:libera  running  degraded: silent"


@pytest.mark.parametrize("figures", [{"messagesIn": 99}, {"rssBytes": 1}, {"cpuPercent": 99.0}])
def test_mere_figures_are_no_news(figures: dict[str, Any]) -> None:
    assert told(account("irc:libera"), account("irc:libera", **figures)) is None


def test_something_new_has_no_step() -> None:
    line = Narrator().narrate("gateway", {"phase": "running", "pid": 7}, NOW_S)
    assert line == "gateway  running  ready, pid 7"


def inbound(**more: Any) -> dict[str, Any]:
    message = {
        "sender": {"id": "u1", "name": "Ann\x07"},
        "chat": {"id": "#tl", "kind": "group"},
        "text": "hi\nthere",
    }
    return {"account": "irc:libera", "direction": "in", "message": message | more}


def test_a_received_message_shows_its_sender_and_chat() -> None:
    assert message_line(inbound()) == "irc:libera  ← Ann\\x07 in #tl: hi\\nthere"


def test_a_direct_message_needs_no_place() -> None:
    direct = inbound(chat={"id": "Ann", "kind": "direct"}, action=True)
    assert message_line(direct) == "irc:libera  ← Ann\\x07: * hi\\nthere"


def test_a_message_out_and_one_that_comes_again() -> None:
    out = {
        "account": "irc:libera",
        "direction": "out",
        "redelivered": True,
        "message": {"to": "#tl", "text": "hello"},
    }
    assert message_line(out) == "irc:libera  → #tl: hello  (again)"


def test_log_lines_name_their_process_and_mark_stderr() -> None:
    line = {
        "ts": "2026-11-21T02:38:16.123Z",
        "account": "irc:a",
        "stream": "stderr",
        "text": "x\x1b",
    }
    assert log_line(line).partition(".")[2] == "123  irc:a !  x\\x1b"
    assert log_line({"ts": NOW, "text": "up"}).endswith("  supervisor  up")


def test_structured_log_lines_are_told_as_event_and_fields() -> None:
    line = {"ts": "?\x07", "account": "irc:a", "level": "warning", "event": "late", "by": 3}
    assert log_line(line) == "?\\x07  irc:a  warning: late  by=3"
    assert log_line(line | {"level": "info"}) == "?\\x07  irc:a  late  by=3"


@pytest.mark.parametrize("strange", [{}, {"ts": None}, {"ts": [], "text": {"a": 1}, "account": 5}])
def test_a_strange_log_line_is_shown_all_the_same(strange: dict[str, Any]) -> None:
    assert isinstance(log_line(strange), str)


def test_a_gateway_tells_its_session_only_while_it_runs() -> None:
    row = {"phase": "running", "pid": 7, "connected": True}
    narrator = Narrator()
    narrator.set("gateway", row)
    lost = narrator.narrate("gateway", row | {"connected": False}, NOW_S)
    assert lost == "gateway  running  no session with the supervisor"
    down = {"phase": "backoff", "connected": False, "lastError": "gone"}
    assert narrator.narrate("gateway", down, NOW_S) == "gateway  running → backoff  gone"
    starting = {"phase": "starting", "incarnation": 2, "connected": False}
    assert narrator.narrate("gateway", starting, NOW_S) is not None
    assert narrator.narrate("gateway", starting | {"connected": True}, NOW_S) is None
