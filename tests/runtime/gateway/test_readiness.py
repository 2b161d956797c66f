"""The stages of a gateway, and the clients that wait for its first report."""

from __future__ import annotations

import asyncio

from runtime.gateway.readiness import Readiness


class Waiting:
    """An admission that notes what became of it, and leaves when it is turned away."""

    def __init__(self, readiness: Readiness) -> None:
        self.readiness = readiness
        self.noted: list[str] = []
        readiness.add_waiting(self)

    def proceed(self) -> None:
        self.noted.append("admitted")

    def turn_away(self) -> None:
        self.noted.append("refused")
        self.readiness.remove_waiting(self)


def test_the_first_report_admits_all_who_wait_and_no_later_one_does_again() -> None:
    readiness = Readiness(lambda: 0.0)
    waiting = [Waiting(readiness), Waiting(readiness)]
    assert (readiness.informed, readiness.waiting) == (False, 2)
    readiness.on_report()
    readiness.on_report()
    assert [each.noted for each in waiting] == [["admitted"], ["admitted"]]
    assert (readiness.informed, readiness.waiting) == (True, 0)


def test_one_that_gave_up_is_not_admitted() -> None:
    readiness = Readiness(lambda: 0.0)
    one = Waiting(readiness)
    readiness.remove_waiting(one)
    readiness.on_report()
    assert one.noted == []


def test_at_the_end_each_that_waits_is_refused_once() -> None:
    readiness = Readiness(lambda: 0.0)
    waiting = [Waiting(readiness), Waiting(readiness)]
    readiness.turn_away_waiting()
    readiness.turn_away_waiting()
    assert [each.noted for each in waiting] == [["refused"], ["refused"]]
    assert readiness.waiting == 0


def test_draining_and_leaving_are_two_steps_and_a_successor_is_expected_unless_denied() -> None:
    readiness = Readiness(lambda: 0.0)
    assert (readiness.draining, readiness.leaving, readiness.restarting) == (False, False, True)
    readiness.start_draining()
    assert (readiness.draining, readiness.leaving) == (True, False)
    readiness.stop_serving()
    assert readiness.leaving
    readiness.set_restarting(restarting=False)
    assert not readiness.restarting


def test_the_uptime_counts_milliseconds_from_the_start() -> None:
    times = iter([100.0, 102.5])
    assert Readiness(lambda: next(times)).uptime_ms() == 2500


async def test_who_waits_for_the_first_report_learns_whether_it_came() -> None:
    readiness = Readiness(lambda: 0.0)
    assert not await readiness.wait_until_informed(0.001)
    waiting = asyncio.ensure_future(readiness.wait_until_informed(5.0))
    await asyncio.sleep(0)
    readiness.on_report()
    assert await waiting
