"""Scenarios 96-123: accounts. The number is in a test's name.

Each row is about one account; ``local:b`` is its sibling, which must not notice.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from ipc.frames.control import Beat
from ipc.frames.words import Phase
from runtime.config.supervisor_model import RestartConfig
from runtime.supervisor.lifecycle import Exit, Exited, Ready, Start, Unhealthy
from tests.support.accounts import spec_of
from tests.support.child_rig import now, settle
from tests.support.fleet import Fleet, fleet

pytestmark = pytest.mark.virtual_time

A, B = "local:a", "local:b"


def sibling_untouched(rig: Fleet) -> bool:
    """Say whether the sibling was started once and nothing else happened to it."""
    (puppet,) = [puppet for puppet in rig.puppets if puppet.key == B]
    state = rig.account(B).child.state
    return puppet.signals == [] and (state.phase, state.restarts) == (Phase.RUNNING, 0)


async def test_s096_a_persons_start_clears_the_hold_the_error_and_the_failures(
    tmp_path: Path,
) -> None:
    async with fleet(tmp_path) as rig:
        await rig.ready()
        await rig.crash(A)
        await rig.stop(A, "lunch")
        await rig.start(A)
        await rig.ready(A)
        row = rig.row(A)
        assert (row.phase, row.failures, row.hold, row.cause) == ("running", 0, None, None)
        assert row.started_at is not None
        assert rig.holds.get(A) is None
        assert sibling_untouched(rig)


async def test_s097_two_starts_at_once_make_one_worker(tmp_path: Path) -> None:
    async with fleet(tmp_path) as rig:
        await rig.ready()
        await rig.stop(A)
        rig.spawn_seconds = 3.0
        for _ in range(3):
            rig.account(A).child.post(Start())
        await rig.wait(4.0)
        await rig.ready(A)
        assert (rig.phase(A), len(rig.spawns(A)), len(rig.alive(A))) == (Phase.RUNNING, 2, 1)
        assert sibling_untouched(rig)


async def test_s098_a_crash_is_told_and_tried_again_after_five_seconds(tmp_path: Path) -> None:
    async with fleet(tmp_path) as rig:
        await rig.ready()
        await rig.crash(A, how=Exit(signal=11))
        row = rig.row(A)
        assert (row.phase, row.failures, row.wanted) == ("backoff", 1, True)
        assert (row.cause, row.last_exit) == ("killed", "exited (signal 11)")
        assert row.next_try_at is not None
        await rig.wait(5.1)
        assert rig.phases(A) == ["starting", "running", "backoff", "starting"]
        assert sibling_untouched(rig)


async def test_s099_crash_after_crash_climbs_to_the_slow_tail_and_says_so(tmp_path: Path) -> None:
    async with fleet(tmp_path) as rig:
        await rig.ready(B)
        for _ in range(12):
            await rig.crash(A)
            assert rig.account(A).child.deadline is not None
            await rig.wait(rig.account(A).child.deadline - now())  # type: ignore[operator]
        times = rig.spawns(A)
        waits = [round(b - a) for a, b in pairwise(times)]
        assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300, 900, 900, 900]
        assert rig.row(A).failures == 12
        assert rig.row(A).last_error == "exited (code 1)"
        assert sibling_untouched(rig)


async def test_s100_a_run_that_returns_is_a_failure_unless_it_says_that_it_is_over(
    tmp_path: Path,
) -> None:
    async with fleet(tmp_path) as rig:
        await rig.ready()
        await rig.crash(A, how=Exit(code=1, said="returned", text="run returned"))
        assert (rig.row(A).phase, rig.row(A).cause) == ("backoff", "returned")
        await rig.wait(5.1)
        await rig.ready(A)
        await rig.crash(A, how=Exit(code=0, said="finished", text="all is said"))
        assert (rig.row(A).phase, rig.row(A).cause) == ("stopped", "finished")
        await rig.wait(24 * 3600)
        assert rig.phase(A) is Phase.STOPPED
        assert sibling_untouched(rig)


async def test_s101_a_crash_after_five_healthy_minutes_is_the_first_one(tmp_path: Path) -> None:
    async with fleet(tmp_path) as rig:
        await rig.ready()
        await rig.crash(A)
        await rig.wait(5.1)
        await rig.ready(A)
        await rig.wait(301)
        assert rig.row(A).failures == 0
        await rig.crash(A)
        assert rig.row(A).failures == 1
        assert rig.account(A).child.deadline == pytest.approx(now() + 5)
        assert sibling_untouched(rig)


async def test_s102_a_manual_stop_lasts_over_a_restart_of_the_supervisor(tmp_path: Path) -> None:
    for graceful in (True, False):
        async with fleet(tmp_path, graceful=graceful) as rig:
            await rig.ready(B)
            await rig.stop(A, "moving house")
        async with fleet(tmp_path, boot=2) as rig:
            await rig.ready(B)
            await rig.wait(24 * 3600)
            row = rig.row(A)
            assert (row.phase, row.cause, row.wanted) == ("stopped", "held", False)
            assert row.hold is not None
            assert row.hold.reason == "moving house"
            assert rig.spawns(A) == []
            assert len(rig.spawns(B)) == 1


async def test_s103_a_manual_stop_in_backoff_cancels_the_wait_at_once(tmp_path: Path) -> None:
    async with fleet(tmp_path) as rig:
        await rig.ready()
        await rig.crash(A)
        begun = now()
        await rig.stop(A)
        assert (rig.phase(A), rig.row(A).next_try_at, now()) == (Phase.STOPPED, None, begun)
        await rig.wait(24 * 3600)
        assert len(rig.spawns(A)) == 1
        assert sibling_untouched(rig)


async def test_s104_a_manual_stop_while_it_waits_to_be_started_starts_nothing(
    tmp_path: Path,
) -> None:
    async with fleet(tmp_path, concurrency=1) as rig:
        await rig.stop(A)
        await rig.stop(B)
        rig.spawn_seconds = 3.0
        await rig.start(A)
        await rig.start(B)  # it waits for its turn behind the other one
        assert rig.phase(B) is Phase.STARTING
        await rig.stop(B)
        assert rig.phase(B) is Phase.STOPPED
        await rig.wait(60)
        assert (rig.alive(B), len(rig.spawns(B))) == ([], 1)


async def test_s105_a_persons_start_in_backoff_is_now_and_forgives(tmp_path: Path) -> None:
    async with fleet(tmp_path) as rig:
        await rig.ready()
        await rig.crash(A)
        begun = now()
        await rig.start(A)
        assert (rig.spawns(A)[-1], rig.row(A).failures) == (begun, 0)
        assert sibling_untouched(rig)


async def test_s106_a_start_while_stopping_comes_after_the_stop(tmp_path: Path) -> None:
    async with fleet(tmp_path) as rig:
        rig.deaf.add(A)
        await rig.restart(A)  # the deaf one takes its place
        await rig.ready()
        await rig.stop(A)
        await rig.start(A)
        assert (rig.phase(A), rig.holds.get(A)) == (Phase.STOPPING, None)
        await rig.wait(5.1)
        await rig.ready(A)
        assert (rig.phase(A), len(rig.alive(A))) == (Phase.RUNNING, 1)


async def test_s107_a_worker_that_ignores_the_stop_is_killed_and_never_shown_as_running(
    tmp_path: Path,
) -> None:
    async with fleet(tmp_path) as rig:
        rig.deaf.add(A)
        await rig.restart(A)
        await rig.ready()
        await rig.stop(A)
        assert rig.row(A).phase == "stopping"
        await rig.wait(5.1)
        assert (rig.row(A).phase, rig.row(A).pid, rig.alive(A)) == ("stopped", None, [])
        assert rig.account(A).history[-1]["exitCause"] == "operator"


async def test_s108_a_stop_for_recovery_comes_back_and_a_manual_one_does_not(
    tmp_path: Path,
) -> None:
    async with fleet(tmp_path) as rig:
        rig.deaf = {A, B}
        await rig.restart(A)
        await rig.restart(B)
        await rig.ready()
        rig.account(A).mark_unhealthy("silent for 30 s")
        await rig.stop(B)
        await rig.wait(5.1)
        assert rig.account(A).history[-1]["exitCause"] == "unhealthy"
        await rig.wait(5.1)
        await rig.ready(A)
        await rig.wait(3600)
        assert (rig.phase(A), rig.phase(B)) == (Phase.RUNNING, Phase.STOPPED)


async def test_s109_one_that_fails_to_stop_keeps_no_other_from_stopping(tmp_path: Path) -> None:
    async with fleet(tmp_path) as rig:
        await rig.ready()

        def fail() -> None:
            raise PermissionError("not allowed")

        (stuck,) = rig.alive(A)
        stuck.terminate = fail  # type: ignore[method-assign]  # the fault
        await rig.stop(A)
        await rig.stop(B)
        assert rig.phase(B) is Phase.STOPPED
        await rig.wait(10)
        assert rig.alive(A) == []


async def test_s110_what_an_old_worker_says_late_is_dropped_and_counted(tmp_path: Path) -> None:
    async with fleet(tmp_path) as rig:
        await rig.ready()
        child = rig.account(A).child
        old = child.state.incarnation
        await rig.restart(A)
        await rig.ready(A)
        before = rig.row(A)
        for late in (Ready(old), Unhealthy(old, "mute"), Exited(old, Exit(code=78))):
            child.post(late)
        await settle()
        assert child.stale == 3
        assert rig.row(A) == before
        assert sibling_untouched(rig)


async def test_s111_one_that_cannot_be_spawned_is_tried_again_and_the_others_start(
    tmp_path: Path,
) -> None:
    async with fleet(tmp_path) as rig:
        rig.broken[A] = ValueError("poison")
        await rig.restart(A)
        await rig.ready(B)
        assert rig.row(A).phase == "backoff"
        assert rig.row(A).last_error == "cannot start: poison"
        del rig.broken[A]
        await rig.wait(5.1)
        await rig.ready(A)
        assert rig.phase(A) is Phase.RUNNING
        assert sibling_untouched(rig)


@pytest.mark.parametrize("reason", ["no token", None])
@pytest.mark.parametrize("field", ["enabled", "configured"])
async def test_s112_one_that_may_not_run_has_no_worker_until_the_configuration_allows_it(
    tmp_path: Path, field: str, reason: str | None
) -> None:
    barred = spec_of(A, **{field: False}, reason=reason)
    async with fleet(tmp_path, barred, spec_of(B)) as rig:
        await rig.ready(B)
        await rig.start(A)
        row = rig.row(A)
        cause = "disabled" if field == "enabled" else "unconfigured"
        assert (row.phase, row.cause, row.wanted, rig.spawns(A)) == ("stopped", cause, False, [])
        todo = f"{reason or 'not configured'}: complete channels.local.accounts.a"
        assert row.todo == (None if field == "enabled" else todo)
        obstacle = rig.roster.obstacle(rig.account(A))
        assert obstacle is not None
        assert obstacle[1] == (reason or obstacle[1]) != ""
        await rig.configure(spec_of(A, fingerprint="2"), spec_of(B))
        await rig.ready(A)
        assert rig.phase(A) is Phase.RUNNING
        assert sibling_untouched(rig)


async def test_s113_one_that_was_logged_out_is_down_until_a_person_starts_it(
    tmp_path: Path,
) -> None:
    async with fleet(tmp_path) as rig:
        await rig.ready()
        rig.account(A).apply_patch({"connected": True, "linked": True})
        await rig.crash(A, how=Exit(code=0, said="logged_out", text="session ended elsewhere"))
        row = rig.row(A)
        assert (row.phase, row.cause, row.pid) == ("stopped", "logged_out", None)
        assert row.plugin["connected"] is False
        await rig.wait(24 * 3600)
        assert len(rig.spawns(A)) == 1
        await rig.start(A)
        await rig.ready(A)
        assert rig.phase(A) is Phase.RUNNING
        assert sibling_untouched(rig)


async def test_s114_a_reset_in_backoff_forgives_and_the_wait_goes_on(tmp_path: Path) -> None:
    async with fleet(tmp_path) as rig:
        await rig.ready()
        await rig.crash(A)
        due = rig.account(A).child.deadline
        await rig.wait(2.0)
        await rig.reset(A)
        assert (rig.row(A).failures, rig.account(A).child.deadline) == (0, due)
        assert rig.account(A).history[-1]["text"] == "failures forgiven"
        await rig.wait(3.1)
        assert rig.spawns(A)[-1] == due
        assert sibling_untouched(rig)


async def test_s117_one_whose_plugin_says_nothing_of_its_connection_is_left_alone(
    tmp_path: Path,
) -> None:
    async with fleet(tmp_path, spec_of(A, status={}), spec_of(B)) as rig:
        await rig.ready()
        for _ in range(600):
            rig.account(A).on_frame(now())
            rig.account(A).check(now())
            await rig.wait(5.0)
        assert (rig.row(A).health, len(rig.spawns(A))) == ("ok", 1)


async def test_s119_nothing_starts_once_the_supervisor_is_stopping(tmp_path: Path) -> None:
    async with fleet(tmp_path) as rig:
        rig.deaf.add(A)
        await rig.restart(A)
        await rig.ready()
        rig.account(A).mark_unhealthy("stuck")
        await settle()
        assert rig.phase(A) is Phase.STOPPING  # its recovery has begun
        rig.roster.stop_all()
        count = len(rig.spawned)
        await rig.wait(60)
        await rig.start(A)
        await rig.wait(3600)
        assert len(rig.spawned) == count
        assert (rig.phase(A), rig.phase(B)) == (Phase.STOPPED, Phase.STOPPED)


@pytest.mark.timeout(600)  # on a virtual clock; with coverage 500 take minutes
@pytest.mark.parametrize("count", [100, pytest.param(500, marks=pytest.mark.slow)])
async def test_s120_after_an_hour_without_network_500_accounts_come_back_by_themselves(
    tmp_path: Path, count: int
) -> None:
    specs = [spec_of(f"local:a{number}") for number in range(count)]
    async with fleet(tmp_path, *specs) as rig:
        await rig.wait(1.0)
        await rig.ready()
        rig.outside.route = False
        no_route = Exit(code=75, said="transient", text="no route to host")
        begun = now()
        while now() < begun + 3600:
            await rig.crash(*rig.accounts, how=no_route)
            await rig.wait(60.0)
        rig.outside.route, rig.ready_by_itself = True, True
        await rig.crash(*rig.accounts, how=no_route)
        began = now()
        while any(account.phase is not Phase.RUNNING for account in rig.accounts.values()):
            assert now() < began + 60, "not all are back"
            await rig.wait(5.0)


@pytest.mark.parametrize("deaf", [False, True])
@pytest.mark.parametrize("phase", ["running", "starting", "backoff"])
async def test_s121_an_account_that_is_taken_out_of_the_configuration_ends_and_disappears(
    tmp_path: Path, phase: str, deaf: bool
) -> None:
    async with fleet(tmp_path) as rig:
        if deaf:
            rig.deaf.add(A)
            await rig.restart(A)
        await rig.ready(*([B] if phase == "starting" else [A, B]))
        if phase == "backoff":
            await rig.crash(A)
        await rig.configure(spec_of(B))
        await rig.wait(60.0)
        assert (list(rig.accounts), rig.removed, rig.alive(A)) == ([B], [A], [])
        assert sibling_untouched(rig)


async def test_s122_equal_names_on_two_channels_are_two_accounts(tmp_path: Path) -> None:
    async with fleet(tmp_path, spec_of("local:one"), spec_of("irc:one")) as rig:
        await rig.ready()
        await rig.stop("local:one")
        assert (rig.phase("local:one"), rig.phase("irc:one")) == (Phase.STOPPED, Phase.RUNNING)
        assert set(rig.holds.all()) == {"local:one"}


async def test_s123_a_hundred_that_crash_at_once_come_back_spread_and_few_at_a_time(
    tmp_path: Path,
) -> None:
    specs = [spec_of(f"local:a{n}", restart=RestartConfig()) for n in range(100)]
    async with fleet(tmp_path, *specs) as rig:
        await rig.wait(1.0)
        await rig.ready()
        rig.ready_by_itself = True
        rig.spawned.clear()
        await rig.crash(*rig.accounts)
        dues = {account.child.deadline for account in rig.accounts.values()}
        assert len(dues) == 100  # each its own
        assert rig.parts.storm.warnings()[0].startswith("100 of 100 accounts crashed within 30 s")
        await rig.wait(120.0)
        assert all(account.phase is Phase.RUNNING for account in rig.accounts.values())
        times = [at for at, _ in rig.spawned]
        within = [sum(at <= other < at + 1.0 for other in times) for at in times]
        stormy = [count for at, count in zip(times, within, strict=True) if at < times[0] + 20]
        assert max(stormy) <= 3  # two per second, and one at the edge
        assert rig.parts.storm.warnings() == []


async def test_s117_being_without_figures_is_not_being_unhealthy(tmp_path: Path) -> None:
    async with fleet(tmp_path) as rig:
        await rig.ready()
        beat = Beat(0.0, 1, 0.0, 1, 0, 0, 0, 0, 0, 0, {})
        rig.account(A).on_beat(beat, now())
        assert rig.row(A).health in ("ok", "degraded: not connected")
        await rig.wait(3600)
        assert rig.phase(A) is Phase.RUNNING
