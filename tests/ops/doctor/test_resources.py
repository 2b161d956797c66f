"""Figures of the host at the edge of what the accounts need."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.doctor import resources
from ops.doctor.facts import Facts
from ops.doctor.finding import Severity
from runtime.supervisor.process_setup import MIN_FILES
from tests.support.doctor_facts import CONFIG, healthy, status_of
from tests.support.fakeserver import account

FLEET = CONFIG | {
    "agents": {"default": "none"},
    "channels": {"local": {"accounts": {f"a{number}": {} for number in range(100)}}},
}


def with_limits(facts: Facts, **changes: int) -> Facts:
    return replace(facts, limits=replace(facts.limits, **changes))


@pytest.mark.parametrize(
    ("config", "have", "found"),
    [
        (FLEET, 64 + 800, 0),
        (FLEET, 64 + 799, 1),
        (FLEET, -1, 0),
        (CONFIG, MIN_FILES, 0),
        (CONFIG, MIN_FILES - 1, 1),
    ],
)
def test_files_are_counted_by_account_and_some_are_always_needed(
    tmp_path: Path, config: dict[str, Any], have: int, found: int
) -> None:
    facts = with_limits(healthy(tmp_path, config), open_files=have)
    assert len(list(resources.open_files(facts))) == found


def test_memory_is_reckoned_by_what_is_measured(tmp_path: Path) -> None:
    rows = [account(f"local:a{number}", rssBytes=100 << 20) for number in range(10)]
    facts = replace(healthy(tmp_path, FLEET), status=status_of(*rows))
    assert list(resources.memory(with_limits(facts, memory_free=9000 << 20))) == []
    (found,) = resources.memory(with_limits(facts, memory_free=8999 << 20))
    assert "take about 9000 MiB" in found.message


@pytest.mark.parametrize(
    ("free", "severity"),
    [(1 << 30, None), ((1 << 30) - 1, Severity.WARNING), ((128 << 20) - 1, Severity.ERROR)],
)
def test_a_disk_is_low_before_it_is_full(
    tmp_path: Path, free: int, severity: Severity | None
) -> None:
    found = list(resources.disk(with_limits(healthy(tmp_path), disk_free=free)))
    assert [each.severity for each in found] == ([] if severity is None else [severity])


@pytest.mark.parametrize(
    ("free", "words"),
    [(0, "no room is left on"), ((1 << 20) - 1, "no room"), (5 << 20, "5 MiB are free on")],
)
def test_it_names_the_disk_and_says_whether_messages_wait_already(
    tmp_path: Path, free: int, words: str
) -> None:
    (found,) = resources.disk(with_limits(healthy(tmp_path), disk_free=free))
    assert words in found.message
    assert f"the disk of {tmp_path}/state" in found.message
