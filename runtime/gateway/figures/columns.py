"""Builds the event ``channel.figures``: the figures of all accounts as columns. Pure.

Columns instead of an object for each account, and only of the rows that have changed: of 500 busy
accounts that is a fiftieth of their rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ipc.frames.status import AccountStatus

KIB = 1024


class Figures(NamedTuple):
    """The figures of one account; the last three are counters of the supervisor's lifetime.

    Those are sent as the difference to the frame before.
    """

    rss: int | None  # KiB
    cpu: float | None  # percent of a core
    lag: float | None  # of the worker's loop, in milliseconds
    queued: int
    messages_in: int
    messages_out: int
    dropped: int


NAMES = ("rss", "cpu", "lag", "queued", "in", "out", "dropped")


def figures_of(row: AccountStatus) -> Figures:
    """Return the figures of a row."""
    return Figures(
        None if row.rss_bytes is None else row.rss_bytes // KIB,
        None if row.cpu_percent is None else round(row.cpu_percent, 1),
        row.loop_lag_ms,
        row.queued,
        row.messages_in,
        row.messages_out,
        sum(row.dropped.values()),
    )


def grown(before: int, now: int) -> int:
    """Return the growth of a counter; a smaller value means that it was reset."""
    return now - before if now >= before else now


class FigureColumns:
    """Builds one sequence of frames, from what its receivers already have.

    ``revision`` is that of the keys, by whose positions the rows are named.
    """

    def __init__(self) -> None:
        self.revision = 0
        self._sent: dict[str, Figures] = {}
        self._at: int | None = None  # epoch milliseconds of the last frame

    def next(self, rows: Mapping[str, AccountStatus], now: int) -> dict[str, Any]:
        """Return the next frame, with the changes since the last one; ``now`` is epoch ms."""
        sent, at = self._sent, self._at
        found = {key: figures_of(row) for key, row in rows.items()}
        frame: dict[str, Any] = {"ts": now, "since": 0 if at is None else max(0, now - at)}
        if found.keys() == sent.keys() and at is not None:
            found = {key: found[key] for key in sent}  # the places are those of the keys sent
            changed = [key for key, figures in found.items() if figures != sent[key]]
            places = [place for place, key in enumerate(sent) if found[key] != sent[key]]
            frame |= {"revision": self.revision, "rows": places}
        else:
            self.revision += 1
            changed = list(found)
            frame |= {"revision": self.revision, "keys": changed}
        self._sent, self._at = found, now
        return frame | _columns([_since(sent.get(key), found[key]) for key in changed])

    def whole(self, now: int) -> dict[str, Any]:
        """Return a complete frame for a new receiver, with the keys and zero differences."""
        frame = {"ts": now, "since": 0, "revision": self.revision, "keys": list(self._sent)}
        return frame | _columns([_since(None, each) for each in self._sent.values()])


def _since(before: Figures | None, now: Figures) -> Figures:
    """Return the figures with counters as differences; zero without an earlier value."""
    before = before or now
    return now._replace(
        messages_in=grown(before.messages_in, now.messages_in),
        messages_out=grown(before.messages_out, now.messages_out),
        dropped=grown(before.dropped, now.dropped),
    )


def _columns(rows: list[Figures]) -> dict[str, Any]:
    if not rows:
        return {name: [] for name in NAMES}
    return dict(zip(NAMES, map(list, zip(*rows, strict=True)), strict=True))
