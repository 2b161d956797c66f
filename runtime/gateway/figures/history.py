"""Records the figures of all accounts for a day, for ``metrics.history``.

Every ten seconds a slot is added, of which an hour is kept, and every five minutes one that joins
them, of which a day is kept. Both are appended to files, so that a new gateway goes on with them;
they are read with the first slot or the first question, not by the start.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from ipc.epoch import now_ms
from ipc.frames.status import AccountStatus
from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.figures.columns import KIB, grown
from runtime.gateway.figures.history_file import HistoryFile
from runtime.gateway.figures.history_ring import (
    COUNTED,
    UNKNOWN,
    HistoryRing,
    Name,
    Sample,
    joined,
)
from runtime.gateway.jobs import Jobs

Range = Literal["1h", "24h"]

FINE_MS, FINE_SLOTS = 10_000, 360
COARSE_MS, COARSE_SLOTS = 300_000, 288
JOINED = COARSE_MS // FINE_MS
EARLY_MS = 1000
REPEATED = frozenset({"duplicate", "repeated"})  # dropped, and no error
FOLDER = "figures"  # in the state directory

log = structlog.get_logger("gateway.figures")


class Counted(msgspec.Struct, frozen=True):
    """The counters of an account at the end of the last slot."""

    messages_in: int
    messages_out: int
    errors: int
    restarts: int


def counted(row: AccountStatus) -> Counted:
    """Return the counters of a row."""
    errors = sum(count for reason, count in row.dropped.items() if reason not in REPEATED)
    return Counted(row.messages_in, row.messages_out, errors, row.restarts)


def sample_of(before: Counted | None, row: AccountStatus) -> Sample:
    """Return an account's sample for a slot; counters are unknown without ``before``."""
    rss = UNKNOWN if row.rss_bytes is None else row.rss_bytes / KIB
    cpu = UNKNOWN if row.cpu_percent is None else row.cpu_percent
    if before is None:
        return Sample(rss=rss, cpu=cpu)
    now = counted(row)
    return Sample(
        grown(before.messages_in, now.messages_in),
        grown(before.messages_out, now.messages_out),
        rss,
        cpu,
        grown(before.errors, now.errors),
        grown(before.restarts, now.restarts),
    )


class FigureHistory:
    """The history of the accounts and agents of one gateway, kept below ``state_dir``."""

    def __init__(self, accounts: Accounts, jobs: Jobs, state_dir: Path) -> None:
        self._accounts = accounts
        self._jobs = jobs
        folder = state_dir / FOLDER
        self.fine = _Kept(HistoryRing(FINE_MS, FINE_SLOTS), folder / "10s")
        self.coarse = _Kept(HistoryRing(COARSE_MS, COARSE_SLOTS), folder / "5min")
        self._before: dict[str, Counted] = {}
        self._one_by_one = asyncio.Lock()
        self._loaded = False
        self._timer = self._next()

    async def answer(
        self, keys: Sequence[str] | None, names: Sequence[Name], span: Range, points: int | None
    ) -> msgspec.Raw:
        """Return the answer of ``metrics.history`` as JSON text."""
        async with self._one_by_one:
            await self._load()
        ring = (self.fine if span == "1h" else self.coarse).ring
        chosen = self._accounts.all_keys() if keys is None else keys
        return await asyncio.to_thread(_answer, ring, chosen, names, span, points, now_ms())

    def close(self) -> None:
        """Stop recording."""
        self._timer.cancel()

    async def add_slot(self, now: int) -> None:
        """Add the slot that ends at about ``now`` (epoch milliseconds)."""
        rows = self._accounts.every_row()
        before, self._before = self._before, {key: counted(row) for key, row in rows.items()}
        if not rows:
            return
        number = _boundary(now) // FINE_MS - 1
        samples = {key: sample_of(before.get(key), row) for key, row in rows.items()}
        async with self._one_by_one:
            await self._load()
            await self.fine.add(number, samples)
            first = number + 1 - JOINED
            if first % JOINED == 0:
                join = self.fine.ring.joined
                whole = await asyncio.to_thread(join, list(samples), first, JOINED)
                await self.coarse.add(first // JOINED, whole)

    async def _load(self) -> None:
        """Load, once, the history of an earlier gateway."""
        if not self._loaded:
            await asyncio.to_thread(self._restore)
            self._loaded = True

    def _restore(self) -> None:
        for each in (self.fine, self.coarse):
            each.file.restore(each.ring)

    def _next(self) -> asyncio.TimerHandle:
        now = now_ms()
        due = _boundary(now) + FINE_MS - now
        return asyncio.get_running_loop().call_later(due / 1000, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = self._next()
        self._jobs.start(self._add_slot())

    async def _add_slot(self) -> None:
        try:
            await self.add_slot(now_ms())
        except Exception:  # the gateway goes on without a history
            log.exception("the figures could not be recorded")


class _Kept:
    """A ring and the file that it is kept in."""

    def __init__(self, ring: HistoryRing, path: Path) -> None:
        self.ring = ring
        self.file = HistoryFile(path, ring.slots)

    async def add(self, number: int, samples: Mapping[str, Sample]) -> None:
        row = self.ring.add(number, samples)
        await asyncio.to_thread(self.file.append, number, row, dict(self.ring.places))


def _boundary(now: int) -> int:
    """Return the end of the last slot; a timer may come a little early."""
    return (now + EARLY_MS) // FINE_MS * FINE_MS


def _answer(
    ring: HistoryRing,
    keys: Sequence[str],
    names: Sequence[Name],
    span: Range,
    points: int | None,
    now: int,
) -> msgspec.Raw:
    """Return the answer from a ring; runs in a thread, because all of it takes 0.3 s."""
    last = now // ring.step_ms - 1
    rows = ring.rows
    first = max(last + 1 - ring.slots, rows[0][0] if rows else last + 1)
    step = 1 if points is None else max(1, math.ceil((last + 1 - first) / points))
    first -= first % step
    count = max(0, last + 1 - first)
    series = {
        name: [_points(values, name, step) for values in ring.series(name, keys, first, count)]
        for name in names
    }
    frame = {
        "ts": now,
        "range": span,
        "stepMs": ring.step_ms * step,
        "from": first * ring.step_ms,
        "keys": list(keys),
        "series": series,
    }
    return msgspec.Raw(msgspec.json.encode(frame))


def _points(values: list[float | None], name: Name, step: int) -> list[float | None]:
    """Join every ``step`` values, and round them to their precision."""
    if step > 1:
        is_counted = name in COUNTED
        values = [
            joined(values[first : first + step], counted=is_counted)
            for first in range(0, len(values), step)
        ]
    digits = 1 if name == "cpu" else None
    return [None if value is None else round(value, digits) for value in values]
