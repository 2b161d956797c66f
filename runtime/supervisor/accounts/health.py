"""Checks the health and the memory of one running account periodically.

It applies the health rules and the memory limits; the consequences are posted to the account's
own mailbox, like all its events.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Collection

from ipc import procfs
from ipc.frames.words import Phase
from runtime.config.supervisor_model import HealthMonitorConfig
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.health_rules import HealthFacts, HealthRules, check
from runtime.supervisor.lifecycle import MEMORY, Restart

REMEMBERED = 64  # restarts; more than any sensible cap per hour
UNANSWERED = 3  # questions for the memory in a row: a worker whose loop is blocked is silent too
MIB = 1 << 20


class HealthCheck:
    """Checks one account across its incarnations.

    ``rand`` returns a random number in [0, 1), ``pss`` the proportional share of a process's memory
    in bytes, ``anonymous`` its anonymous memory, ``programs`` what it has started, ``wall`` the
    epoch seconds. ``ask(account)`` asks the worker to measure itself, with its programs.
    ``unweighed`` is set while the memory may be above a limit but cannot be measured.
    """

    def __init__(
        self,
        account: Account,
        *,
        rand: Callable[[], float] = random.random,
        pss: Callable[[int], int | None] = procfs.pss_bytes,
        anonymous: Callable[[int], int | None] = procfs.anonymous_bytes,
        programs: Callable[[int], Collection[int]] = procfs.children,
        ask: Callable[[Account], None] = lambda account: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._account = account
        self._rand = rand
        self._pss = pss
        self._anonymous = anonymous
        self._programs = programs
        self._ask = ask
        self._wall = wall
        self._asked: deque[float] = deque(maxlen=REMEMBERED)
        self._halted_at: float | None = None  # when it was seen last that nothing can be stored
        self._beat_seen: object = None
        self._recycle: tuple[int, float, str] | None = None
        self._unanswered = 0
        self.unweighed = False

    def check(self, now: float) -> None:
        """Check the account; ``now`` is in seconds of the loop's clock.

        While the journal cannot store, messages wait in the worker, which is not its fault, and a
        replacement would lose them. So only the hard memory limit applies then.
        """
        if self._account.phase is not Phase.RUNNING:
            self._halted_at = None
            self._recycle, self._unanswered, self.unweighed = None, 0, False
            return
        if self._account.halted:
            self._halted_at, self._recycle = self._wall(), None
        self._check_health()
        self._check_memory(now)

    def _check_health(self) -> None:
        account, now = self._account, self._wall()
        ready_at = account.ready_at
        if ready_at is None or account.halted:
            return
        since = max(ready_at / 1000, self._halted_at or 0.0)  # what has waited gets time to go on
        facts = HealthFacts(True, since, account.heartbeat.plugin, tuple(self._asked))
        reason = check(rules_of(account.spec.health), facts, now)
        if reason is not None:
            self._asked.append(now)
            account.mark_unhealthy(reason)

    def _check_memory(self, now: float) -> None:
        if self._recycle is not None:
            incarnation, at, reason = self._recycle
            if incarnation != self._account.child.state.incarnation:
                self._recycle = None
            elif now >= at:
                self._recycle = None
                self._account.child.post(Restart(automatic=True, reason=reason, why=MEMORY))
            return
        beat = self._account.heartbeat.beat
        share = self._account.heartbeat.pop_share()
        if share is not None:
            self._unanswered, self.unweighed = 0, share == 0 and not self._apart
            self._compare(share, now)
        if beat is not None and beat is not self._beat_seen:
            self._beat_seen = beat
            self._measure(beat.rss_bytes, now)

    @property
    def _apart(self) -> bool:
        """Whether the process shares no memory: its anonymous memory is then nearly all."""
        return self._account.spec.launcher == "exec"

    def _measure(self, rss: int, now: float) -> None:
        """Measure the share of memory if it may be above a limit.

        Measuring makes the kernel walk all pages, so it is done only if the resident size, which is
        never smaller, is above a limit. Without privileges the share is hidden from us
        (``prctl.forbid_inspection``), and the worker measures it. So it does if programs of its may
        have the rest: there may be many, and nothing else waits for it. Untrusted code could report
        too little, but a report below the anonymous memory is not believed.
        """
        limits, process = self._account.spec.limits, self._account.child.process
        lowest = limits.memory_soft_bytes or limits.memory_hard_bytes
        if lowest is None or process is None:
            return
        certain = (self._anonymous(process.pid) or 0) if self._apart else 0
        if max(rss, certain) <= lowest:
            self._unanswered, self.unweighed = 0, False
            return
        share = self._pss(process.pid)
        if share is None:
            self._unanswered += 1
            self.unweighed = self.unweighed or (self._unanswered > UNANSWERED and not self._apart)
            self._ask(self._account)
        elif share <= lowest and self._programs(process.pid):
            self._ask(self._account)
        self._compare(max(share or 0, certain), now)

    def _compare(self, share: int, now: float) -> None:
        """Compare the share of memory with the limits, and act on it."""
        limits, process = self._account.spec.limits, self._account.child.process
        if process is None:
            return
        if limits.memory_hard_bytes is not None and share > limits.memory_hard_bytes:
            self._account.mark_unhealthy(_too_much(share, "hard", limits.memory_hard_bytes))
            process.kill()
        elif self._account.halted:
            return
        elif limits.memory_soft_bytes is not None and share > limits.memory_soft_bytes:
            reason = _too_much(share, "soft", limits.memory_soft_bytes)
            at = now + limits.recycle_jitter_seconds * self._rand()
            self._recycle = (self._account.child.state.incarnation, at, reason)


def rules_of(config: HealthMonitorConfig) -> HealthRules:
    """Return the health rules of the configuration."""
    return HealthRules(
        enabled=config.enabled,
        startup_grace=config.startup_grace_seconds,
        reconnect_grace=config.reconnect_grace_seconds,
        stale_after=config.stale_after_seconds,
        busy_within=config.busy_within_seconds,
        cooldown=config.cooldown_seconds,
        restarts_per_hour=config.restarts_per_hour,
    )


def _too_much(share: int, which: str, limit: int) -> str:
    return f"memory: {share // MIB} MiB, over the {which} limit of {limit // MIB} MiB"
