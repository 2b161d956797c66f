from __future__ import annotations

from tests.scenarios.catalog import (
    ELSEWHERE,
    PENDING,
    ROOT,
    STARRED,
    names_in,
    numbered,
    scenarios,
    table,
)


def test_every_scenario_has_a_number_and_every_number_a_scenario() -> None:
    assert list(scenarios()) == list(range(1, 130))


def test_every_scenario_has_a_test_or_says_why_not() -> None:
    without = {number for number, tests in numbered().items() if not tests}
    assert without == set(PENDING)


def test_every_starred_scenario_is_shown_with_real_processes_too() -> None:
    found = numbered()
    real = (
        "tests/scenarios/test_real.py",
        "tests/e2e/",
        "tests/runtime/supervisor/processes/test_process.py",
    )
    for number in STARRED:
        assert any(test.startswith(real) for test in found[number]), number


def test_every_test_that_is_named_exists() -> None:
    for tests in ELSEWHERE.values():
        for test in tests:
            path, _, name = test.partition("::")
            assert name in names_in(ROOT / path), test


def test_the_table_is_the_one_that_is_checked_in() -> None:
    command = "python -m tests.scenarios.catalog > docs/scenarios.md"
    assert (ROOT / "docs/scenarios.md").read_text() == table(), f"run: {command}"
