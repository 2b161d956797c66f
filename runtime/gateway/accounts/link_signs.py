"""Measures for how long a running account has been silent on the data link.

A worker that has nothing to send sends a hello with every beat. So a connection that was lost
without an error is detected by missing hellos.
"""

from __future__ import annotations

from collections.abc import Callable

from ipc.frames.words import Phase
from runtime.gateway.accounts.peers import Peers
from runtime.gateway.accounts.rows import Accounts

CHECK_SECONDS = 1.0  # between two checks: reports may come often
SILENT_SECONDS = 3.0  # less is no silence, whatever the beat

Sign = tuple[int, int, int]  # incarnation, hellos, newest message


class LinkSigns:
    """The silence of all running accounts. ``clock()`` returns the loop's time."""

    def __init__(self, accounts: Accounts, peers: Peers, clock: Callable[[], float]) -> None:
        self._accounts = accounts
        self._peers = peers
        self._clock = clock
        self._signs: dict[str, tuple[Sign, float]] = {}
        self._silent: dict[str, float] = {}
        self._looked: float | None = None

    def silent(self) -> dict[str, float]:
        """Return the seconds for which running accounts have been silent at least, by key."""
        now = self._clock()
        if self._looked is None or now - self._looked >= CHECK_SECONDS:
            self._looked = now
            self._silent = self._silent_for(now)
        return self._silent

    def _silent_for(self, now: float) -> dict[str, float]:
        signs: dict[str, tuple[Sign, float]] = {}
        accounts = self._accounts
        for key, row in {**accounts.rows, **accounts.agents}.items():
            if row.phase != Phase.RUNNING:
                continue
            peer = self._peers.by_key.get(key)
            sign = (row.incarnation, 0, 0)
            if peer is not None and peer.incarnation == row.incarnation:
                sign = (row.incarnation, peer.hellos, peer.seen)
            known = self._signs.get(key)
            signs[key] = known if known is not None and known[0] == sign else (sign, now)
        self._signs = signs
        since = {key: now - at for key, (_, at) in signs.items()}
        return {key: seconds for key, seconds in since.items() if seconds >= SILENT_SECONDS}
