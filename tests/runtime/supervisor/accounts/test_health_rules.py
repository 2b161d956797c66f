"""The rules of the health monitor, by table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config.supervisor_model import HealthMonitorConfig
from runtime.supervisor.accounts.health import rules_of
from runtime.supervisor.accounts.health_rules import HealthFacts, check

NOW = 1_000_000.0
RULES = rules_of(HealthMonitorConfig())


def seen(**plugin: Any) -> HealthFacts:
    """A running account, ready for an hour; times are given in seconds before now."""
    fields = {
        name: (NOW - value) * 1000 if name.startswith("last") else value
        for name, value in plugin.items()
    }
    return HealthFacts(running=True, ready_at=NOW - 3600, plugin=fields)


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        ({}, None),
        ({"connected": True}, None),
        ({"connected": False, "lastDisconnectAt": 119}, None),
        ({"connected": False, "lastDisconnectAt": 120}, "disconnected for 120 s"),
        ({"connected": False}, "disconnected for 3600 s"),
        ({"connected": True, "lastTransportActivityAt": 1799}, None),
        (
            {"connected": True, "lastTransportActivityAt": 1800},
            "stale: no transport activity for 1800 s",
        ),
        ({"lastTransportActivityAt": 5000}, "stale: no transport activity for 5000 s"),
        ({"connected": True, "lastTransportActivityAt": -3600}, None),
        ({"busy": True, "lastEventAt": 1499, "lastTransportActivityAt": 5000}, None),
        ({"busy": True, "lastEventAt": 1500}, "stuck: busy without activity for 1500 s"),
        ({"activeRuns": 2, "lastEventAt": 9000}, "stuck: busy without activity for 9000 s"),
        ({"activeRuns": 1}, None),
        ({"activeRuns": 0, "lastEventAt": 9000}, None),
        ({"connected": False, "busy": True, "lastEventAt": 1}, None),
        ({"linked": False, "connected": False}, None),
    ],
)
def test_each_rule_at_its_threshold(plugin: dict[str, Any], reason: str | None) -> None:
    assert check(RULES, seen(**plugin), NOW) == reason


ILL = seen(connected=False)


def test_a_monitor_that_is_off_says_nothing() -> None:
    assert check(rules_of(HealthMonitorConfig(enabled=False)), ILL, NOW) is None


def test_an_account_that_does_not_run_is_left_to_its_backoff() -> None:
    assert check(RULES, HealthFacts(False, ILL.ready_at, ILL.plugin), NOW) is None


@pytest.mark.parametrize(("age", "judged"), [(119.9, False), (120.0, True)])
def test_an_account_has_its_grace_after_it_became_ready(age: float, judged: bool) -> None:
    silent = {"lastTransportActivityAt": (NOW - 5000) * 1000}
    sight = HealthFacts(True, NOW - age, silent)
    assert (check(RULES, sight, NOW) is not None) is judged


@pytest.mark.parametrize(
    ("asked", "judged"),
    [
        ((), True),
        ((NOW - 599,), False),
        ((NOW - 600,), True),
        ((NOW - 3599, NOW - 700), True),
        (tuple(NOW - 3500 + n for n in range(10)), False),
        (tuple(NOW - 3601 - n for n in range(10)), True),
        ((NOW,), False),
        (tuple([NOW - 3600] * 10), True),
        ((NOW + 50,), True),
    ],
)
def test_restarts_are_asked_for_apart_and_not_too_often(
    asked: tuple[float, ...], judged: bool
) -> None:
    sight = HealthFacts(True, ILL.ready_at, ILL.plugin, asked)
    assert (check(RULES, sight, NOW) is not None) is judged


@given(
    st.dictionaries(
        st.sampled_from(["connected", "busy", "activeRuns", "lastEventAt", "lastDisconnectAt"]),
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.floats(0, 1e15)),
    ),
    st.floats(-1e9, 1e9),
)
def test_whatever_a_plugin_says_the_verdict_is_one_sentence_or_none(
    plugin: dict[str, Any], now: float
) -> None:
    verdict = check(RULES, HealthFacts(True, 0.0, plugin), now)
    assert verdict is None or verdict
