"""The bench of HTTP requests: its verdict, and one short round of it."""

from __future__ import annotations

import pytest

from bench import ingress
from bench.ingress import Round


def rounds(calm: list[float], hanging: list[float]) -> list[Round]:
    found = [(False, each) for each in calm] + [(True, each) for each in hanging]
    return [Round(which, 100.0, 1.0, p99, 0.1, 0, {"200": 5}) for which, p99 in found]


@pytest.mark.parametrize(
    ("calm", "hanging", "verdict"),
    [
        ([2.0, 3.0, 90.0], [8.0, 8.0, 8.0], "held"),  # calm + 5 ms
        ([3.0], [8.1], "not held"),
        ([20.0], [30.0], "held"),  # 1.5 times calm
        ([20.0], [30.1], "not held"),
    ],
)
def test_the_medians_decide(calm: list[float], hanging: list[float], verdict: str) -> None:
    assert f"is {verdict}." in ingress.report(rounds(calm, hanging))


@pytest.mark.slow
@pytest.mark.e2e
async def test_a_short_round_answers_everything() -> None:
    found = await ingress.run(3, 30.0, 1.0, 1)
    assert [each.hanging for each in found] == [False, True]
    assert [set(each.statuses) for each in found] == [{"200"}, {"200"}]
