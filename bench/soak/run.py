"""Draws fault after fault for as long as the soak lasts, and checks what each one left behind."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

import psutil

from bench.faults.rig import Resources
from bench.faults.shared import still_runs
from bench.faults.trial import settled
from bench.soak.faults import CATALOGUE, Drawn
from bench.soak.report import Outcome
from bench.soak.rig import SoakRig, soak_rig
from bench.soak.usage import Sample, Usage

PAUSE = (0.2, 4.0)  # seconds between two faults
TOGETHER = 0.2  # how often two faults come at once
LIMIT = 120.0  # seconds that one fault may take
WARM_UP = 900.0  # seconds of a process before its growth counts; at most a third of the run
ENDS = 1 / 4  # of the run, in which supervisor and gateway are ended


class Soak:
    """One run. ``clock`` counts seconds from its begin."""

    def __init__(self, rig: SoakRig, seconds: float, outcome: Outcome) -> None:
        self._rig = rig
        self._seconds = seconds
        self._outcome = outcome
        self._usage = Usage()
        self._last: dict[str, float] = {}
        self._began = time.monotonic()

    @property
    def clock(self) -> float:
        """Seconds since the begin."""
        return time.monotonic() - self._began

    async def run(self) -> None:
        """Inject until the time is over, then stop all and compare."""
        rig, outcome = self._rig, self._outcome
        await rig.exercise()
        while self.clock < self._seconds:
            await asyncio.sleep(rig.draw.uniform(*PAUSE))
            faults = [self._next()]
            if not faults[0].apart and rig.draw.random() < TOGETHER:
                others = [each for each in CATALOGUE.values() if each.beside]
                faults.append(rig.draw.choice(others))
            await self.inject(faults)
        await self.conclude()
        outcome.minutes = round(self.clock / 60, 1)
        warm_up = min(WARM_UP, self._seconds / 3)
        series = self._usage.series(skip=warm_up, warm_up=warm_up)
        outcome.series = [each.described() for each in series]

    def _next(self) -> Drawn:
        ready = [
            each
            for each in CATALOGUE.values()
            if self.clock - self._last.get(each.name, -each.apart) >= each.apart
            and (not each.apart or self.clock < self._seconds * ENDS)
            and (each.name != "kill-many" or self._rig.group)
        ]
        found = self._rig.draw.choices(ready, [each.weight for each in ready])[0]
        family = [name for name, each in CATALOGUE.items() if each.apart == found.apart != 0]
        self._last.update(dict.fromkeys(family, self.clock))
        return found

    async def inject(self, faults: Sequence[Drawn]) -> None:
        """Inject faults at once; afterwards everything runs, and nothing is left over."""
        rig, outcome = self._rig, self._outcome
        name = " and ".join(each.name for each in faults)
        outcome.faults.update(each.name for each in faults)
        rig.hit, rig.everything = set(), False
        began, found = self.clock, []
        try:
            async with asyncio.timeout(LIMIT):
                await rig.whole()  # an earlier fault may have left something away
                before, lives = await rig.resources(), rig.incarnations()
                await asyncio.gather(*(each.inject(rig) for each in faults))
                gone = rig.zygotes_gone
                await rig.whole()
                if rig.zygotes_gone > gone:
                    print(f"  zygote gone\n{rig.log_tail()}", file=sys.stderr)
                found = self._left(before, await settled(rig, before), lives)
                await self._sample()
            if any(each.apart for each in faults):
                await rig.exercise()
        except Exception as error:  # noqa: BLE001 - the soak goes on, and ends with 1
            found.append(f"{type(error).__name__}: {error}"[:1000])
            outcome.counts["not recovered"] += 1
        outcome.wrong += [f"{began:.0f} s, {name}: {each}" for each in found]
        hit = " ".join(sorted(rig.hit))
        print(f"{began:7.1f} s  {name} {hit} ({self.clock - began:.1f} s)", file=sys.stderr)
        if found:
            print(f"  WRONG: {'; '.join(found)}\n{rig.log_tail()}", file=sys.stderr)
        sys.stderr.flush()

    def _left(
        self, before: Resources, after: Resources, lives: Mapping[str, tuple[int, int]]
    ) -> list[str]:
        """Count and describe what was left over, and which accounts were restarted unhit."""
        rig, counts = self._rig, self._outcome.counts
        now = rig.incarnations()
        restarted = [
            key
            for key in rig.keys
            if not rig.everything and key not in rig.hit and now[key] != lives[key]
        ]
        strays = after.strays - before.strays
        files = list((after.files - before.files).elements())
        counts["sibling restarts"] += len(restarted)
        counts["processes left over"] += len(strays)
        counts["open files left over"] += len(files)
        processes = [f"{pid} {_command(pid)}" for pid in strays]
        return [*(f"restarted: {key}" for key in restarted), *processes, *files]

    async def _sample(self) -> None:
        rig = self._rig
        with suppress(psutil.Error, LookupError):
            pids = {"supervisor": rig.daemon.pid, "gateway": await rig.gateway()}
            for kind, pid in {**pids, "zygote": rig.zygote()}.items():
                process = psutil.Process(pid)
                rss = process.memory_info().rss
                self._outcome.load.append(round(os.getloadavg()[0], 2))
                self._usage.take(kind, pid, Sample(self.clock, rss, process.num_fds()))

    async def conclude(self) -> None:
        """Stop all in order; add up what was seen, and what was written and never came."""
        rig, outcome = self._rig, self._outcome
        await rig.hush()
        ledger = rig.check()
        both = {"person": rig.person.numbers, "onlooker": rig.onlooker.numbers}
        for name, numbers in both.items():
            for kind in ("reordered", "unmarked", "untold"):
                outcome.counts[kind] += numbers.counts[kind]
            outcome.wrong += [f"{name}: {each}" for each in numbers.wrong]
        outcome.counts["untold"] += ledger.counts["untold"]
        outcome.wrong += ledger.wrong[:50]
        chat = rig.chat.counts if rig.chat else Counter()
        outcome.counts["reordered"] += chat["reordered"]
        outcome.traffic = {
            **{name: dict(numbers.counts) for name, numbers in both.items()},
            "sessions": {
                "person": rig.person.client.sessions, "onlooker": rig.onlooker.sessions
            },
            "zygote gone": rig.zygotes_gone,
            "calls repeated": rig.person.client.repeated,
            "duplicates dropped by the client": rig.person.client.duplicates,
            "gaps seen by the client": rig.person.gaps_seen,
            "sends": dict(rig.person.counts),
            "written and missing": dict(ledger.counts),
            "chat server": dict(chat),
        }  # fmt: skip


def _command(pid: int) -> str:
    with suppress(psutil.Error):
        return " ".join(psutil.Process(pid).cmdline())[:120]
    return "(gone)"


async def soak(accounts: int, minutes: float, seed: int) -> Outcome:
    """Run a soak of so many minutes; the outcome is checked by ``report.problems``."""
    outcome = Outcome(seed, accounts=accounts)
    async with soak_rig(accounts, seed) as rig:
        await Soak(rig, minutes * 60, outcome).run()
        family = rig.daemon.family()
        await asyncio.to_thread(rig.daemon.end)
        left = [f"process {each.pid}" for each in family if still_runs(each)]
        # A lock file that is removed would lock nothing.
        there = sorted(rig.daemon.run_dir.rglob("*"))
        files = [f"{each}" for each in there if each.suffix != ".lock"]
    outcome.counts["processes left over"] += len(left)
    outcome.counts["files left over"] += len(files)
    outcome.wrong += [f"after the end: {each}" for each in (*left, *files)]
    return outcome
