"""The figures of siblings are compared with targets, and each fault reaches the bad account."""

from __future__ import annotations

import dataclasses

import pytest

from bench.measuring.processes import may_measure
from bench.siblings.__main__ import measure
from bench.siblings.report import check, report
from bench.siblings.rig import SIBLINGS, TALKERS, Seen
from bench.siblings.trial import FAULTS, Trial

NOTHING: dict[str, list[float]] = {channel: [] for channel in SIBLINGS}


def seen(late: float = 0.002, start: float = 0.05, pss: float = 8.0) -> Seen:
    return Seen(
        {channel: [0.001] * 98 + [late] * 2 for channel in SIBLINGS},
        {channel: [start] for channel in SIBLINGS},
        {channel: [pss] * len(TALKERS) for channel in SIBLINGS},
    )


@pytest.mark.parametrize(
    ("bad", "wrong"),
    [
        (seen(), []),
        (seen(late=0.0069, start=0.074, pss=8.4), []),
        (seen(late=0.0071), ["p99"]),
        (seen(start=0.076), ["start"]),
        (seen(pss=8.6), ["PSS"]),
        (seen(pss=7.4), ["PSS"]),
        (dataclasses.replace(seen(), late=NOTHING), ["p99"]),
        (dataclasses.replace(seen(), starts=NOTHING), ["start"]),
    ],
)
def test_the_targets_are_those_of_the_promise(bad: Seen, wrong: list[str]) -> None:
    same, others, agents = check([Trial("blocked", "source", seen(), bad, 0, 0)])
    names = (same.siblings, others.siblings, agents.siblings)
    assert names == ("same channel", "other channels", "agents")
    assert same.wrong == others.wrong == agents.wrong == wrong
    assert (">" in report([same])) == bool(wrong)


def test_a_lost_message_or_a_restart_is_wrong_in_any_round() -> None:
    fine = Trial("importing", "slow_sdk", seen(), seen(), 0, 0)
    found = check([fine, dataclasses.replace(fine, restarts=1, missing=2)])
    assert [each.siblings for each in found] == ["other channels", "agents"]
    assert [each.wrong for each in found] == [["restarts", "lost"]] * 2


def test_beside_an_agent_that_goes_wrong_agents_are_the_siblings() -> None:
    found = check([Trial("agent dies", "agent", seen(), seen(), 0, 0)])
    assert [each.siblings for each in found] == ["other channels", "other agents"]


def test_one_bad_round_of_three_does_not_decide() -> None:
    fine = Trial("flooding", "telegram", seen(), seen(), 0, 0)
    rounds = [fine, dataclasses.replace(fine, bad=seen(late=0.5)), fine]
    assert [each.wrong for each in check(rounds)] == [[], [], []]


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not may_measure(), reason="our processes hide from their own user")
async def test_every_fault_is_played_in_every_channel_and_loses_nothing() -> None:
    found = await measure(list(FAULTS), 2.0, 1)
    assert [(each.fault, each.channel) for each in found] == [
        (name, channel) for name, (_, channels) in FAULTS.items() for channel in channels
    ]
    for each in found:
        assert (each.restarts, each.missing) == (0, 0)
        assert all(each.bad.late[channel] and each.bad.starts[channel] for channel in SIBLINGS)
