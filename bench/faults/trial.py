"""Injects one fault and evaluates its effect on the siblings and its leftovers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from bench.faults.fault import Fault, Observation
from bench.faults.rig import FaultRig, Resources
from bench.faults.witness import p99_ms

SETTLE = 8.0  # seconds in which what is left over must have gone
CHECK_SECONDS = 0.1
MORE_TIMES, MORE_MS = 1.5, 5.0  # how much later siblings may hear


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a trial. Times are seconds after the injection.

    ``problem`` is why it did not end, or what was left over.
    """

    fault: str
    seen: float | None
    recovered: float | None
    sibling_restarts: int
    sibling_frames_lost: int
    sibling_frames_twice: int
    calm_p99_ms: float
    p99_ms: float
    processes_left: int
    fds_left: int
    remark: str
    problem: str | None = None

    @property
    def allowed_ms(self) -> float:
        """The permitted latency of siblings, in ms."""
        return max(MORE_TIMES * self.calm_p99_ms, self.calm_p99_ms + MORE_MS)

    @property
    def wrong(self) -> list[str]:
        """The violations: figures that should be 0 and are not."""
        counts = {
            "sibling restarts": self.sibling_restarts,
            "sibling frames lost": self.sibling_frames_lost,
            "processes left over": self.processes_left,
            "open files left over": self.fds_left,
        }
        found = [f"{count} {what}" for what, count in counts.items() if count]
        return found + ([self.problem] if self.problem else [])


async def attempt(rig: FaultRig, fault: Fault, calm: float) -> Verdict:
    """Observe for ``calm`` seconds, inject, wait for the recovery, and observe at least as long."""
    before, lives = await rig.resources(), rig.incarnations()
    lost, twice = rig.witness.missing, rig.witness.repeated
    rig.witness.window()
    await asyncio.sleep(calm)
    quiet = rig.witness.window()
    observed, problem, recovered = Observation(), None, None
    late: list[float] = []
    try:
        await fault.inject(rig, observed)
        recovered = observed.passed
        await asyncio.sleep(max(0.0, calm - recovered))
        late = rig.witness.window()
        if not fault.last:
            await rig.restore()
    except Exception as error:  # noqa: BLE001 - the other faults are tried all the same
        problem = f"{type(error).__name__}: {error}"
    if fault.last:
        after, restarts = before, 0
    else:
        after = await settled(rig, before)
        now = rig.incarnations()
        restarts = sum(now[key] != lives[key] for key in lives)
    left = after.files - before.files
    if left.total() > fault.keeps:
        problem = "; ".join([*filter(None, [problem]), *map(str, left.elements())])
    return Verdict(
        fault=fault.name,
        seen=observed.seen,
        recovered=recovered,
        sibling_restarts=restarts,
        sibling_frames_lost=0 if fault.last else rig.witness.missing - lost,
        sibling_frames_twice=rig.witness.repeated - twice,
        calm_p99_ms=p99_ms(quiet),
        p99_ms=p99_ms(late),
        processes_left=len(after.strays - before.strays),
        fds_left=max(0, left.total() - fault.keeps),
        remark=observed.remark,
        problem=problem,
    )


async def settled(rig: FaultRig, before: Resources) -> Resources:
    """Return the resources once there are no leftovers, or after ``SETTLE`` seconds."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + SETTLE
    while True:
        after = await rig.resources()
        left = after.strays - before.strays or after.files - before.files
        if not (left or rig.missing) or loop.time() >= ends:
            return after
        await asyncio.sleep(CHECK_SECONDS)
