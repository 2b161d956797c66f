"""Detects that many accounts crash together, paces their starts and names the shared cause.

During a storm everything that accounts share is checked: the zygote, the network, the gateway and
memory. When the network returns, accounts that wait only because of it are started at once. It
starts and stops nothing itself: it posts events, and sets the pace of the start queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import structlog

from ipc.frames.words import Phase
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.network import Network
from runtime.supervisor.accounts.start_queue import StartQueue
from runtime.supervisor.accounts.storm_rules import STARTS_PER_SECOND, WINDOW, StormDetector
from runtime.supervisor.lifecycle import NOT_READY, NOT_SPAWNED, TRANSIENT, UNHEALTHY, Start

# What a host without a network does to an account. Any other failure waits for its time.
CAUSED_BY_THE_NETWORK = frozenset({TRANSIENT, NOT_READY, UNHEALTHY})
LITTLE_MEMORY = 0.05  # of all memory: below, a lack of it is likely the cause

log = structlog.get_logger("storm")


class CrashStorm:
    """Watches accounts and agents for crash storms. ``gateway_up`` returns whether it answers.

    ``repair`` checks whether processes can be started, repairs that if it can, and returns
    what was wrong. It runs first: nothing else matters while that is broken.
    """

    def __init__(
        self,
        queue: StartQueue,
        workers: Callable[[], Iterable[Account]],
        *,
        gateway_up: Callable[[], bool],
        repair: Callable[[], Awaitable[str | None]],
        network: Callable[[Callable[[], None]], Network] = Network,
        memory: Callable[[], float] | None = None,
    ) -> None:
        self._queue = queue
        self._workers = workers
        self._gateway_up = gateway_up
        self._repair = repair
        self._broken: str | None = None  # what ``repair`` has found in the present storm
        self._memory = memory or free_memory
        self._network = network(self._on_network_returned)
        self._storm = StormDetector()
        self._began: float | None = None  # of the present storm, on the loop's clock
        self._wake = asyncio.Event()
        self.storms = 0

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._network.run())
            tasks.create_task(self._resolve_storms())

    def check_soon(self) -> None:
        """Check soon whether processes can be started."""
        self._wake.set()

    def on_account_changed(self, account: Account) -> None:
        """Count the change of an account if it is a crash."""
        if account.phase is not Phase.BACKOFF:
            return
        if account.child.state.cause == NOT_SPAWNED:
            self.check_soon()
        if account.spec.is_agent:
            return
        self._storm.record_crash(account.key, _now())
        if self._began is None and self._is_storm():
            self._began = _now()
            self.storms += 1
            self._queue.interval = 1 / STARTS_PER_SECOND
            self._wake.set()

    def warnings(self) -> list[str]:
        """Return warnings for the operator, one sentence each."""
        if self._began is None:
            return []
        crashed, total = self._storm.count_crashed(_now()), self._count_accounts()
        cause = "; ".join(self.shared_causes()) or "none found: check the accounts' logs"
        pace = f"at most {STARTS_PER_SECOND:g} starts per second"
        return [
            f"{crashed} of {total} accounts crashed within {WINDOW:g} s ({pace}); cause: {cause}"
        ]

    def shared_causes(self) -> list[str]:
        """Return phrases about problems that affect all accounts (zygote, network, …)."""
        found = [self._broken] if self._broken else []
        if not self._network.up:
            found.append("this host has no route to the network")
        if not self._gateway_up():
            found.append("the gateway does not answer")
        free = self._memory()
        if free < LITTLE_MEMORY:
            found.append(f"only {100 * free:.0f} % of the memory is free")
        return found

    def _is_storm(self) -> bool:
        return self._storm.is_storm(self._count_accounts(), _now())

    def _count_accounts(self) -> int:
        return sum(not worker.spec.is_agent for worker in self._workers())

    async def _resolve_storms(self) -> None:
        """Find the cause of each storm, and end the storm once crashes are back to normal."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._broken = await self._repair()
            if self._began is not None:
                log.error("many accounts have crashed together", what=self.warnings()[0])
            while self._is_storm():  # noqa: ASYNC110 - its end is an event of the clock
                await asyncio.sleep(1.0)
            self._end_storm()

    def _end_storm(self) -> None:
        if self._began is not None:
            self._began = self._broken = None
            self._queue.interval = 0.0
            log.info("the storm is over")

    def _on_network_returned(self) -> None:
        waiting = [
            account
            for account in self._workers()
            if account.phase is Phase.BACKOFF and account.child.state.cause in CAUSED_BY_THE_NETWORK
        ]
        self._storm.clear()  # its cause is gone: no start has to be paced any more
        self._end_storm()
        log.info("the network is back", accounts=len(waiting))
        for account in waiting:
            account.child.post(Start(automatic=True, reason="the network is back"))


def free_memory(meminfo: Path = Path("/proc/meminfo")) -> float:
    """Return the share of the memory that is available (proc(5)); 1.0 where that is unknown."""
    sizes: dict[str, int] = {}
    try:
        for line in meminfo.read_text().splitlines():
            name, _, rest = line.partition(":")
            sizes[name] = int(rest.split()[0])
        return sizes["MemAvailable"] / sizes["MemTotal"]
    except (OSError, ValueError, IndexError, KeyError, ZeroDivisionError):
        return 1.0


def _now() -> float:
    return asyncio.get_running_loop().time()
