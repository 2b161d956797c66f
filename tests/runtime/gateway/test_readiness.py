"""The stages of a gateway, and the clients that wait for its first report."""

from __future__ import annotations

from runtime.gateway.readiness import Readiness


class Waiting:
    """An admission that notes what became of it, and leaves when it is turned away."""

    def __init__(self, readiness: Readiness) -> None:
        self.readiness = readiness
        self.noted: list[str] = []
        readiness.wait_for_report(self)

    def proceed(self) -> None:
        self.noted.append("admitted")

    def turn_away(self) -> None:
        self.noted.append("refused")
        self.readiness.wait_no_more(self)


def test_the_first_report_admits_all_who_wait_and_no_later_one_does_again() -> None:
    readiness = Readiness(lambda: 0.0)
    waiting = [Waiting(readiness), Waiting(readiness)]
    assert (readiness.informed, readiness.waiting) == (False, 2)
    readiness.report_arrived()
    readiness.report_arrived()
    assert [each.noted for each in waiting] == [["admitted"], ["admitted"]]
    assert (readiness.informed, readiness.waiting) == (True, 0)


def test_one_that_gave_up_is_not_admitted() -> None:
    readiness = Readiness(lambda: 0.0)
    one = Waiting(readiness)
    readiness.wait_no_more(one)
    readiness.report_arrived()
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
    readiness.leave()
    assert readiness.leaving
    readiness.expect_end(restarting=False)
    assert not readiness.restarting


def test_the_uptime_counts_milliseconds_from_the_start() -> None:
    times = iter([100.0, 102.5])
    assert Readiness(lambda: next(times)).uptime_ms() == 2500
