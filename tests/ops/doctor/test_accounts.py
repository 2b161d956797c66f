"""What is said about accounts, and how often."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.doctor import accounts
from tests.support.doctor_facts import NOW, healthy, status_of
from tests.support.fakeserver import BACKOFF, account

DAY_MS = 86_400_000


@pytest.mark.parametrize(("failures", "found"), [(4, 0), (5, 1)])
def test_a_few_failures_are_no_loop(tmp_path: Path, failures: int, found: int) -> None:
    rows = status_of(account("irc:a", **BACKOFF | {"failures": failures}))
    assert len(list(accounts.looping(healthy(tmp_path, status=rows)))) == found


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
def test_who_waits_is_counted(tmp_path: Path, count: int, text: str) -> None:
    facts = replace(healthy(tmp_path), waiting={"people": count})
    assert [each.message for each in accounts.waiting(facts)] == [text]
