"""Scenarios 10 to 16: what an exit is taken for, by its code and by its words."""

from __future__ import annotations

import pytest

from runtime.supervisor.gateways.diagnosis import Kind, diagnose
from runtime.supervisor.lifecycle import Exit


@pytest.mark.parametrize(
    "line",
    [
        "Invalid config at openclaw.json: gateway.port",
        "Config invalid",
        '- gateway: Unrecognized key: "nonsense"',
        "Run: openclaw doctor --fix",
        "startup migrations blocked: run doctor",
    ],
)
def test_13_a_damaged_configuration_is_seen(line: str) -> None:
    assert diagnose(Exit(code=1), ["fine", line]).kind is Kind.CONFIGURATION
    assert diagnose(Exit(code=1), ["fine", line]).text == line


@pytest.mark.parametrize(
    "line",
    [
        "startup migrations already running",
        "retry after the other gateway finishes",
        "openclaw requires Node >= 24.16",
        "SQLite WAL reset unsafe",
    ],
)
def test_16_what_is_hopeless_is_not_repaired(line: str) -> None:
    assert diagnose(Exit(code=1), [line]).kind is Kind.FATAL


def test_16_the_exit_code_for_configuration_needs_a_person() -> None:
    assert diagnose(Exit(code=78), ["no words that are known"]).kind is Kind.FATAL


@pytest.mark.parametrize("how", [Exit(code=0), Exit(signal=9), Exit(signal=15), Exit()])
def test_words_count_only_of_one_that_ended_by_itself_and_unwell(how: Exit) -> None:
    assert diagnose(how, ["Config invalid"]).kind is Kind.TRANSIENT


def test_words_of_our_own_gateway_do_not_count() -> None:
    found = diagnose(Exit(code=1), ["Config invalid"], reads_words=False)
    assert found.kind is Kind.TRANSIENT


def test_anything_else_may_be_tried_again_and_the_last_line_says_why() -> None:
    found = diagnose(Exit(code=1), ["listen EADDRINUSE"])
    assert found.kind is Kind.TRANSIENT
    assert found.text == "exited (code 1): listen EADDRINUSE"
