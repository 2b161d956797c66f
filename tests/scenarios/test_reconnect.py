"""Scenarios 59-66, 69 and 124-126: reconnect. The number is in a test's name."""

from __future__ import annotations

import msgspec
import pytest

from ipc.frames.words import Phase
from runtime.supervisor.lifecycle import (
    Deadline,
    Event,
    Exit,
    Exited,
    Ready,
    Start,
    Stop,
    Unhealthy,
)
from tests.support.accounts import ACCOUNT_POLICY
from tests.support.child_rig import CRASH, ChildRig, child_rig, now, pass_time

pytestmark = pytest.mark.virtual_time


async def test_s059_the_ladder_is_exact_and_ends_in_a_slow_tail() -> None:
    async with child_rig() as rig:
        await rig.post(Start())
        await rig.crashes(12)
        await pass_time(900.0)
        assert rig.waits == [5, 10, 20, 40, 80, 160, 300, 300, 300, 900, 900, 900]


@pytest.mark.parametrize("failures", [1, 2, 5, 9, 10, 40])
def test_s059_every_wait_is_spread_by_a_fifth_both_ways(failures: int) -> None:
    base = ACCOUNT_POLICY.delay(failures, 0.0)
    assert ACCOUNT_POLICY.delay(failures, -1.0) == pytest.approx(0.8 * base)
    assert ACCOUNT_POLICY.delay(failures, 1.0) == pytest.approx(1.2 * base)


async def test_s060_there_is_one_timer_whatever_happens_in_backoff() -> None:
    async with child_rig() as rig:
        await rig.post(Start())
        await rig.crash()
        gone = rig.state.incarnation
        late: list[Event] = [
            Exited(gone, CRASH),
            Unhealthy(gone, "mute"),
            Ready(gone),
            Exited(gone, CRASH),
        ]
        await rig.post(*late)
        assert (rig.phase, rig.state.failures) == (Phase.BACKOFF, 1)
        await pass_time(5.0)
        await rig.ready()
        await pass_time(3600)
        assert len(rig.spawned) == 2


async def test_s061_what_is_not_wanted_is_not_tried_again() -> None:
    async with child_rig() as rig:
        rig.deaf = True
        await rig.start()
        await rig.post(Stop("disabled"))
        await rig.crash(Exit(code=75))
        assert (rig.phase, rig.child.deadline) == (Phase.STOPPED, None)
        await pass_time(24 * 3600)
        assert len(rig.spawned) == 1


async def test_s062_a_timer_of_another_incarnation_starts_nothing() -> None:
    async with child_rig() as rig:
        await rig.post(Start())
        await rig.crash()
        old = Deadline(rig.state.incarnation, Phase.BACKOFF)
        await rig.post(Start())
        await rig.crash()
        await rig.post(old)
        assert (rig.phase, len(rig.spawned), rig.child.stale) == (Phase.BACKOFF, 2, 1)


async def test_s063_health_forgives_and_the_restarts_stay_counted() -> None:
    async with child_rig() as rig:
        await rig.post(Start())
        await rig.crashes(2)
        await pass_time(10.0)
        await rig.ready()
        assert rig.state.failures == 2  # being ready is not yet being healthy
        await pass_time(301.0)
        assert (rig.state.failures, rig.state.restarts) == (0, 2)


async def test_s064_an_exit_and_the_loss_of_its_session_are_one_failure() -> None:
    for first, second in ((0, 1), (1, 0)):
        async with child_rig() as rig:
            await rig.start()
            number = rig.state.incarnation
            rig.last.die(CRASH)
            news: list[Event] = [Exited(number, CRASH), Unhealthy(number, "session lost")]
            await rig.post(news[first], news[second])
            assert (rig.phase, rig.state.failures) == (Phase.BACKOFF, 1)
            await pass_time(5.0)
            assert len(rig.spawned) == 2


async def test_s065_a_late_exit_of_the_old_process_does_not_touch_the_new_one() -> None:
    async with child_rig() as rig:
        await rig.start()
        old = rig.state.incarnation
        await rig.restart()
        await rig.ready()
        before = rig.state
        await rig.post(Exited(old, Exit(code=3)))
        assert (rig.state, rig.child.process, rig.child.stale) == (before, rig.last, 1)
        assert rig.child.last_exit == Exit(code=0)  # of the orderly end


async def test_s066_news_of_a_replaced_session_are_ignored() -> None:
    async with child_rig() as rig:
        await rig.start()
        old = rig.state.incarnation
        await rig.restart()
        await rig.ready()
        await rig.post(Unhealthy(old, "socket closed"), Ready(old))
        assert (rig.phase, rig.last.signals) == (Phase.RUNNING, [])


@pytest.mark.parametrize("code", [77, 78])
async def test_s069_what_has_failed_for_good_can_be_started_by_a_person(code: int) -> None:
    async with child_rig() as rig:
        await rig.post(Start())
        await rig.crash(Exit(code=code))
        assert rig.phase is Phase.FAILED
        begun = now()
        await rig.start()
        assert (rig.phase, rig.state.failures, rig.spawned[-1]) == (Phase.RUNNING, 0, begun)


REFUSED = {
    "needs login": Exit(code=77, said="needs_login", text="services are away"),
    "misconfigured": Exit(code=78, said="misconfigured", text="the nick is held for now"),
}
EARNED = msgspec.structs.replace(ACCOUNT_POLICY, jitter=0.0)


def to_next_try(rig: ChildRig) -> float:
    assert rig.child.deadline is not None
    return round(rig.child.deadline - now(), 3)


@pytest.mark.parametrize("how", REFUSED.values(), ids=REFUSED.keys())
async def test_s124_a_passing_refusal_ends_in_nothing_worse_than_a_wait(how: Exit) -> None:
    async with child_rig(EARNED) as rig:
        await rig.start()
        for wait in (5.0, 60.0):
            await rig.crash(how)
            assert (rig.phase, to_next_try(rig)) == (Phase.BACKOFF, wait)
            await pass_time(wait)
        await rig.ready()
        await pass_time(301.0)
        assert (rig.phase, rig.state.failures) == (Phase.RUNNING, 0)


async def test_s125_what_is_refused_again_and_again_needs_a_person_and_is_tried_slowly() -> None:
    async with child_rig(EARNED) as rig:
        await rig.start()
        for wait in (5.0, 60.0, 900.0, 900.0):
            await rig.crash(REFUSED["misconfigured"])
            slow = (Phase.FAILED, "slow") if wait == 900 else (Phase.BACKOFF, None)
            assert (rig.phase, rig.state.retry, to_next_try(rig)) == (*slow, wait)
            await pass_time(wait)
        await rig.ready()  # the network has lifted its ban
        assert (rig.phase, rig.state.retry) == (Phase.RUNNING, None)


async def test_s126_a_refused_password_is_tried_three_times_an_hour_at_most() -> None:
    async with child_rig(EARNED) as rig:
        await rig.start()
        refused: list[float] = []
        for _ in range(20):
            refused.append(now())
            await rig.crash(REFUSED["needs login"])
            await pass_time(to_next_try(rig))
        for first, fourth in zip(refused, refused[3:], strict=False):
            assert fourth - first >= 3600 - 0.01
