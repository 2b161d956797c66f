"""Queues changes of accounts for the gateway, in order. Pure.

Separate from the session, which ends with its gateway while the changes remain. Two changes of one
account never share a report, so that clients see every phase; only for a gateway that is far
behind are they merged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from ipc.frames.status import AccountStatus
from ipc.metrics import Series

MAX_BATCHES = 256  # reports waiting for a gateway that is slow to take them

Rows = dict[str, AccountStatus | None]  # by key; ``None``: removed


class Reports:
    """Collects changed rows; the session sends what ``whole`` and ``changes`` return.

    ``keys()`` returns the keys of all accounts, ``row(key)`` the present row of one, ``None`` when
    it is gone. ``common()`` returns the fields beside them (the gateway's own row, channels,
    agents), ``metrics()`` the supervisor's own figures, which are sent with these or with those of
    accounts, and ``seal(revision)`` the form in which clients get a revision. ``wake()`` is called
    when there is something new.
    """

    def __init__(
        self,
        *,
        revision: Callable[[], str],
        keys: Callable[[], Iterable[str]],
        row: Callable[[str], AccountStatus | None],
        common: Callable[[], dict[str, Any]],
        wake: Callable[[], None],
        metrics: Callable[[], list[Series]] = list,
        seal: Callable[[str], str] = str,
        on_answer: Callable[[Any], None] = lambda answer: None,
    ) -> None:
        self._revision = revision
        self._keys = keys
        self._row = row
        self._common = common
        self._wake = wake
        self._metrics = metrics
        self._seal = seal
        self._on_answer = on_answer
        self._batches: deque[Rows] = deque()
        self._figures: set[str] = set()
        self._common_changed = False

    def queue_row(self, key: str, row: AccountStatus | None) -> None:
        """Queue a row for the clients; ``None`` means that the account was removed."""
        batches = self._batches
        if not batches or (key in batches[-1] and len(batches) < MAX_BATCHES):
            batches.append({})
        batches[-1].pop(key, None)
        batches[-1][key] = row
        self._wake()

    def mark_figures(self, key: str) -> None:
        """Mark an account of which only figures changed; ``flush`` or any report sends them."""
        self._figures.add(key)

    def flush(self) -> None:
        """Request a report now if figures have changed (see ``mark_figures``)."""
        if self._figures:
            self._wake()

    def mark_common(self) -> None:
        """Mark the gateway's own row, the channels or the agents as changed."""
        self._common_changed = True
        self._wake()

    def on_answer(self, answer: Any) -> None:
        """Pass on the gateway's answer to a report."""
        self._on_answer(answer)

    def whole(self) -> dict[str, Any]:
        """Return a complete ``channels.report``, which includes pending changes."""
        self._batches.clear()
        self._figures.clear()
        self._common_changed = False
        rows = self._now(self._keys())
        return {"revision": self._revision(), "whole": True, "accounts": rows} | self._beside()

    def changes(self) -> dict[str, Any] | None:
        """Return a ``channels.report`` of pending changes; ``None`` if there are none.

        Figures of an account with queued changes are left out: the newer row would overtake these
        changes, which would then look like none.
        """
        if not (self._batches or self._figures or self._common_changed):
            return None
        waiting = {key for batch in self._batches for key in batch}
        batch = self._batches.popleft() if self._batches else {}
        report = {
            "revision": self._revision(),
            "whole": False,
            "accounts": {key: self._row_for_clients(row) for key, row in batch.items() if row},
            "removed": [key for key, row in batch.items() if row is None],
            "figures": self._now(self._figures - waiting),
        }
        if self._common_changed:
            report |= self._beside()
        elif self._figures:
            report["metrics"] = msgspec.to_builtins(self._metrics())
        self._figures &= waiting  # those go once nothing of them waits any more
        self._common_changed = False
        if self._batches:
            self._wake()
        return report

    def _now(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the current rows of only these accounts: a row costs 10 µs to create."""
        rows = ((key, self._row(key)) for key in keys)
        return {key: self._row_for_clients(row) for key, row in rows if row is not None}

    def _row_for_clients(self, row: AccountStatus) -> dict[str, Any]:
        """Return a row in the form for the gateway's clients."""
        shown: dict[str, Any] = msgspec.to_builtins(row)
        if row.revision:
            shown["revision"] = self._seal(row.revision)
        return shown

    def _beside(self) -> dict[str, Any]:
        """Return the fields of a report beside the accounts."""
        return self._common() | {"metrics": msgspec.to_builtins(self._metrics())}
