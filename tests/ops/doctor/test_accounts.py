"""What is said about accounts, and how often."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.doctor import accounts
from ops.doctor.finding import Severity
from tests.support.doctor_facts import CONFIG, NOW, healthy, status_of
from tests.support.fakeserver import BACKOFF, account

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("failures", "found"),
    [
        (1, []),
        (2, [Severity.WARNING]),
        (4, [Severity.WARNING]),
        (5, [Severity.ERROR]),
    ],
)
def test_a_loop_is_named_at_its_second_failure(
    tmp_path: Path, failures: int, found: list[Severity]
) -> None:
    due = {"nextTryAt": int(NOW * 1000) + 42_000}
    rows = status_of(account("irc:a", **BACKOFF | due | {"failures": failures}))
    findings = list(accounts.looping(healthy(tmp_path, status=rows)))
    assert [each.severity for each in findings] == found
    for each in findings:
        assert each.message == (
            f"irc:a has ended {failures} times in a row: exited (signal 9); the next try is in 42s"
        )


@pytest.mark.parametrize(
    ("fields", "checks"),
    [
        ({"phase": "failed", "cause": "misconfigured"}, ["accounts.failed"]),
        ({"phase": "failed", "cause": None}, ["accounts.failed"]),
        ({"phase": "failed", "cause": "needs_login"}, ["accounts.login"]),
        ({"phase": "failed", "cause": "needs_login", "lastError": "no bot"}, ["accounts.login"]),
        ({"phase": "starting", "cause": "linking"}, ["accounts.login"]),
        ({"phase": "running", "todo": None}, []),
    ],
)
def test_an_account_that_waits_is_found_once_and_for_what_it_waits_for(
    tmp_path: Path, fields: dict[str, Any], checks: list[str]
) -> None:
    rows = status_of(account("irc:a", **{"todo": "do this"} | fields))
    facts = healthy(tmp_path, status=rows)
    found = [*accounts.failed(facts), *accounts.login(facts)]
    assert [(each.check, each.cure) for each in found] == [(each, "do this") for each in checks]


@pytest.mark.parametrize(
    ("entry", "checks"),
    [
        ({"kind": "command", "command": "/no/such/prog -p"}, [("agents.program", "error")]),
        ({"kind": "command", "command": ["nosuchprog"]}, [("agents.program", "warning")]),
        ({"kind": "command", "command": ["/"]}, [("agents.program", "error")]),
        ({"kind": "command", "command": ["sh", "-c", "x"]}, []),
        ({"kind": "command", "command": "/no/such/prog", "enabled": False}, []),
        ({"kind": "command"}, [("accounts.unconfigured", "warning")]),
        ({"kind": "echo"}, []),
    ],
)
def test_agents_that_cannot_answer_are_found_before_they_are_asked(
    tmp_path: Path, entry: dict[str, Any], checks: list[tuple[str, str]]
) -> None:
    config = CONFIG | {"agents": {"entries": {"a": entry}, "default": "a"}}
    facts = healthy(tmp_path, config, environ={"PATH": "/usr/bin:/bin"})
    found = [*accounts.unconfigured(facts), *accounts.programs(facts)]
    assert [(each.check, str(each.severity)) for each in found] == checks
    assert all("agents.entries.a" in str(each.cure) for each in found)
    shown = [each.cure for each in found if each.check == "accounts.unconfigured"]
    assert all(str(each).endswith("trunkline config example agent:command") for each in shown)


def test_of_what_is_not_installed_no_example_is_advised(tmp_path: Path) -> None:
    channel = {"python": "/no/such/python", "accounts": {"demo": {}}}
    facts = healthy(tmp_path, CONFIG | {"channels": {"local": channel}})
    (found,) = accounts.unconfigured(facts)
    assert "make it: " in found.message
    assert found.cure == (
        "correct or install what that names, for /no/such/python; then trunkline config reload"
    )


@pytest.mark.parametrize(
    ("account_here", "there", "found"),
    [
        ({}, False, 1),
        ({}, True, 0),
        ({"enabled": False}, False, 0),
    ],
)
def test_what_is_configured_here_and_not_for_the_daemon_is_found(
    tmp_path: Path, account_here: dict[str, Any], there: bool, found: int
) -> None:
    config = CONFIG | {"channels": {"local": {"accounts": {"demo": account_here}}}}
    rows = status_of(account("local:demo", phase="stopped", configured=there))
    findings = list(accounts.outdated(healthy(tmp_path, config, status=rows)))
    assert len(findings) == found
    assert all("trunkline down and up" in str(each.cure) for each in findings)


def test_an_agent_whose_turns_fail_is_not_well(tmp_path: Path) -> None:
    said = {"health": "degraded: its turns fail", "lastError": "no such file: correct command"}
    rows = status_of(account("agent:main", **said))
    (found,) = accounts.degraded(healthy(tmp_path, status=rows))
    assert found.message == (
        "agent:main runs, but is degraded: its turns fail: no such file: correct command"
    )
    assert found.cure == "trunkline agents describe main"


@pytest.mark.parametrize(("days", "found"), [(6.9, []), (8, ["was stopped by hand 8 days ago: x"])])
def test_a_hold_is_forgotten_after_a_week(tmp_path: Path, days: float, found: list[str]) -> None:
    hold: Any = {"at": int(NOW * 1000 - days * DAY_MS), "reason": "x"}
    facts = healthy(tmp_path, status=status_of(account("irc:a", phase="stopped", hold=hold)))
    said = [each.message.removeprefix("irc:a ") for each in accounts.held(facts)]
    assert said == found


def test_an_agent_has_commands_of_its_own(tmp_path: Path) -> None:
    rows = status_of(account("agent:main", phase="failed", cause="misconfigured"))
    (found,) = accounts.failed(healthy(tmp_path, status=rows))
    assert found.cure == "trunkline agents describe main"


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "1 person waits for a decision"), (2, "2 people wait for a decision")],
)
def test_pending_decisions_are_counted(tmp_path: Path, count: int, text: str) -> None:
    facts = replace(healthy(tmp_path), waiting={"people": count})
    assert [each.message for each in accounts.waiting(facts)] == [text]
