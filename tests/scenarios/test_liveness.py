"""Scenarios 70-73, 75-77, 79, 80 and 95: liveness. The numbers are in the names.

Silence is a suspicion; then comes one question; only then the verdict. The clock is the
loop's, which never jumps.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ipc.frames.words import Phase
from ipc.heartbeat import Verdict
from tests.support.child_rig import now
from tests.support.fleet import Fleet, fleet

pytestmark = pytest.mark.virtual_time

A, B = "local:a", "local:b"


async def heard(rig: Fleet) -> None:
    """Have both workers say hello and be ready."""
    await rig.ready()
    for account in rig.accounts.values():
        account.heartbeat.met = True
        account.on_frame(now())
        account.apply_patch({"connected": True})


def verdict_of(rig: Fleet, key: str = A) -> Verdict:
    return rig.account(key).check(now())


async def test_s070_beats_that_are_missed_are_no_verdict(tmp_path: Path) -> None:
    async with fleet(tmp_path) as rig:
        await heard(rig)
        for _ in range(14):
            await rig.wait(1.0)
            assert verdict_of(rig) is Verdict.ALIVE
        await rig.wait(1.5)
        assert verdict_of(rig) is Verdict.ASK
        assert rig.row(A).health == "degraded: silent"
        await rig.wait(10.0)
        assert (verdict_of(rig), rig.phase(A)) == (Verdict.SUSPECT, Phase.RUNNING)


async def test_s071_s075_any_sign_of_life_clears_the_suspicion_and_all_that_was_asked(
    tmp_path: Path,
) -> None:
    async with fleet(tmp_path) as rig:
        await heard(rig)
        await rig.wait(16.0)
        assert verdict_of(rig) is Verdict.ASK
        await rig.wait(14.0)
        assert rig.account(A).on_frame(now())  # just before the verdict
        await rig.wait(14.0)  # the old question would have been over long ago
        assert verdict_of(rig) is Verdict.ALIVE
        assert rig.row(A).health == "ok"


async def test_s072_an_answer_to_the_question_means_healthy_and_no_restart(tmp_path: Path) -> None:
    async with fleet(tmp_path) as rig:
        await heard(rig)
        for _ in range(20):
            await rig.wait(16.0)
            assert verdict_of(rig) is Verdict.ASK
            rig.account(A).on_frame(now())
        assert (rig.phase(A), rig.row(A).restarts, rig.row(A).health) == (Phase.RUNNING, 0, "ok")


async def test_s073_no_answer_means_exactly_one_restart(tmp_path: Path) -> None:
    async with fleet(tmp_path) as rig:
        await heard(rig)
        await rig.wait(16.0)
        verdict_of(rig)
        await rig.wait(15.0)
        for _ in range(3):
            verdict_of(rig)  # said again, it is still one
        await rig.wait(0)
        assert (rig.row(A).failures, rig.row(A).cause) == (1, "unhealthy")
        await rig.wait(5.1)
        await rig.ready(A)
        assert (rig.phase(A), rig.row(A).restarts, len(rig.spawns(B))) == (Phase.RUNNING, 1, 1)


async def test_s077_a_worker_that_ended_meanwhile_is_judged_no_more(tmp_path: Path) -> None:
    async with fleet(tmp_path) as rig:
        await heard(rig)
        await rig.wait(16.0)
        assert verdict_of(rig) is Verdict.ASK
        await rig.crash(A)
        await rig.wait(15.0)
        assert verdict_of(rig) is Verdict.ALIVE  # that question was of another incarnation
        await rig.ready(A)
        assert (rig.phase(A), rig.row(A).failures) == (Phase.RUNNING, 1)


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 365 * 86400.0])
async def test_s079_a_jump_of_the_wall_clock_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    async with fleet(tmp_path) as rig:
        await heard(rig)
        await rig.crash(B)
        due = rig.account(B).child.deadline
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + jump)
        await rig.wait(1.0)
        assert verdict_of(rig) is Verdict.ALIVE
        assert rig.account(B).child.deadline == due
        await rig.wait(4.1)
        assert rig.spawns(B)[-1] == due
        assert rig.row(A).restarts == 0


async def test_s080_after_a_suspend_everybody_gets_one_question_and_its_time(
    tmp_path: Path,
) -> None:
    async with fleet(tmp_path) as rig:
        await heard(rig)
        await rig.wait(8 * 3600.0)  # the host slept
        assert [verdict_of(rig, key) for key in (A, B)] == [Verdict.ASK] * 2
        await rig.wait(14.0)
        rig.account(A).on_frame(now())
        assert [verdict_of(rig, key) for key in (A, B)] == [Verdict.ALIVE, Verdict.SUSPECT]
        assert rig.phase(B) is Phase.RUNNING


async def test_s095_an_exception_of_a_callback_has_no_effect(
    tmp_path: Path,
) -> None:
    async with fleet(tmp_path) as rig:
        await rig.ready()
        rig.rig.failing.add(A)
        await rig.crash(A)
        await rig.wait(5.1)
        await rig.ready(A)
        assert (rig.phase(A), rig.phase(B)) == (Phase.RUNNING, Phase.RUNNING)
