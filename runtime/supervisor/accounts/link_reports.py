"""Tracks the workers' links: refused connections, floods, and absent workers.

The control link is the supervisor's own. The state of the data link comes from the gateway, in
the answer to each report; without a gateway no account counts as absent.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
import structlog

from ipc.frames.status import LinkReport
from ipc.frames.words import JOURNAL_FULL
from ipc.identity.peer import parse_peer
from ipc.metrics import Series, counter
from ipc.nesting import MALFORMED
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.attendance import post_attachment
from runtime.supervisor.accounts.heartbeat import POSITION_LOST

SHOWN_SECONDS = 600.0  # for so long a flood or a refused connection is a warning in the status
OWNERS = {"control": "supervisor", "data": "gateway"}  # of the memory that a flood fills

log = structlog.get_logger("links")


class LinkReports:
    """The state of both links. ``refused`` and ``floods`` count by link, over all gateways.

    ``attached`` are the agents in whose place a program is attached, by key.
    ``on_change(account)`` is called when an account is found absent from the data link, or back.
    ``clock()`` returns seconds that only grow.
    """

    def __init__(
        self,
        accounts: Callable[[], Mapping[str, Account]],
        on_change: Callable[[Account], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._on_change = on_change
        self._clock = clock
        self._last: dict[tuple[str, str], int] = {}
        self.attached: frozenset[str] = frozenset()
        self._journal: list[str] = []  # what is wrong with it
        self._noted: dict[tuple[str, str], float] = {}  # when a figure grew last
        self.refused: Counter[str] = Counter(dict.fromkeys(OWNERS, 0))
        self.floods: Counter[str] = Counter(dict.fromkeys(OWNERS, 0))

    def record(self, link: str, refused: int, floods: int) -> None:
        """Store the counters of a link, as its current owner reports them."""
        for name, totals, count in (
            ("refused", self.refused, refused),
            ("floods", self.floods, floods),
        ):
            before = self._last.get((link, name), 0)
            grown = count - before if count >= before else count  # another process counts anew
            self._last[link, name] = count
            if grown:
                totals[link] += grown
                self._noted[link, name] = self._clock()

    def apply(self, answer: Any) -> None:
        """Store the gateway's answer to a report."""
        try:
            report = msgspec.convert(answer, LinkReport)
        except MALFORMED as error:
            log.warning("the gateway's answer to a report could not be parsed", error=str(error))
            return
        self.set_attached(report.attached)
        self.record("data", report.handshakes_refused, report.floods)
        self.end_reconnecting("data", report.reconnecting)
        self._journal = [
            *([_unstored(report.journal)] if report.journal else []),
            *([report.repaired] if report.repaired else []),
        ]
        for key, account in self._accounts().items():
            silent = report.silent.get(key, 0.0)
            duplicates, repeated = report.duplicates.get(key, 0), report.repeated.get(key, 0)
            fault = report.journal or (POSITION_LOST if key in report.lost else None)
            if account.on_link_report(silent, duplicates, repeated, fault):
                self._on_change(account)

    def end_reconnecting(self, link: str, counts: Mapping[str, int]) -> None:
        """End worker processes that never stay connected to a link, by name.

        Each connection costs the other end of the link time and, for a moment, memory, and while
        many come others wait. The account is started again with growing delays.
        """
        for name, count in counts.items():
            key, incarnation = parse_peer(name.encode())
            account = self._accounts().get(key)
            if account is not None and account.child.state.incarnation == incarnation:
                account.mark_unhealthy(f"connected to the {link} link {count} times within 10 s")

    def set_attached(self, keys: Iterable[str]) -> None:
        """Store the keys of all agents that have an attached program."""
        self.attached = frozenset(keys)
        for key, account in self._accounts().items():
            post_attachment(account, key in self.attached)

    def on_gateway_lost(self) -> None:
        """Clear the absence of all accounts: there is no gateway to connect to."""
        self._journal = []
        self.set_attached(())
        for account in self._accounts().values():
            if account.on_link_report(0.0, 0, 0):
                self._on_change(account)

    def refused_by_link(self) -> dict[str, int]:
        """Return how many connections each link has refused."""
        return dict(self.refused)

    def series(self) -> list[Series]:
        """Return the figures for Prometheus."""
        refused, floods = self.refused.total(), self.floods.total()
        return [
            counter(
                "handshakes_refused",
                "Refused connections of programs that are no workers.",
                refused,
            ),
            counter("link_floods", "Links closed and opened again because of a flood.", floods),
        ]

    def warnings(self) -> list[str]:
        """Return warnings about the last minutes, for the status."""
        found, since = list(self._journal), self._clock() - SHOWN_SECONDS
        for link, owner in OWNERS.items():
            if self._noted.get((link, "floods"), since) > since:
                found.append(
                    f"degraded: link flooded: a worker's process filled the memory of the {owner} "
                    f"with unfinished messages; the {link} link was bound anew (see its log)"
                )
            if self._noted.get((link, "refused"), since) > since:
                found.append(
                    f"{self.refused[link]} connections to the {link} link were refused: they "
                    f"proved no worker; the log of the {owner} names the process"
                )
        return found


def _unstored(fault: str) -> str:
    """Return the warning that nothing is stored, and what would end that."""
    cure = "; it goes on once there is room on the disk" if fault == JOURNAL_FULL else ""
    return f"the gateway stores no messages: {fault}{cure}"
