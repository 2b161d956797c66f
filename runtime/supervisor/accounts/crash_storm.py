"""What all accounts share, and what follows from it when many of them are in trouble.

Accounts that crash together have one cause rather than many. While that storm lasts starts
are paced, what they share is looked at (the zygote, the network, the gateway, memory), and
the status says so. When the network returns, accounts that wait only because of it are started
at once.
It starts and stops nothing itself: it posts events, and sets the pace of the start gate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import structlog

from ipc.frames.words import Phase
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.network import Network
from runtime.supervisor.accounts.start_queue import StartGate
from runtime.supervisor.accounts.storm_rules import STARTS_PER_SECOND, WINDOW, Storm
from runtime.supervisor.lifecycle import NOT_READY, NOT_SPAWNED, TRANSIENT, UNHEALTHY, Start

# What a host without a network does to an account. Any other failure waits for its time.
CAUSED_BY_THE_NETWORK = frozenset({TRANSIENT, NOT_READY, UNHEALTHY})
LITTLE_MEMORY = 0.05  # of all memory: below, a lack of it is likely what felled them

log = structlog.get_logger("surroundings")


class Surroundings:
    """One for all accounts. ``gateway_up`` says whether the gateway answers.

    ``mend`` looks whether processes can be started, puts that right where it can, and returns
    what was wrong. It is the first to be looked at: nothing else matters while it is broken.
    """

    def __init__(
        self,
        gate: StartGate,
        accounts: Callable[[], Iterable[Account]],
        *,
        gateway_up: Callable[[], bool],
        mend: Callable[[], Awaitable[str | None]],
        network: Callable[[Callable[[], None]], Network] = Network,
        memory: Callable[[], float] | None = None,
    ) -> None:
        self._gate = gate
        self._accounts = accounts
        self._gateway_up = gateway_up
        self._mend = mend
        self._broken: str | None = None  # what ``mend`` has found in the present storm
        self._memory = memory or free_memory
        self._network = network(self._network_returned)
        self._storm = Storm()
        self._began: float | None = None  # of the present storm, on the loop's clock
        self._stirred = asyncio.Event()
        self.storms = 0

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._network.run())
            tasks.create_task(self._calm())

    def doubt(self) -> None:
        """Have it looked whether processes can be started."""
        self._stirred.set()

    def changed(self, account: Account) -> None:
        """Look at an account that has changed: has it crashed?"""
        if account.phase is not Phase.BACKOFF:
            return
        if account.child.state.cause == NOT_SPAWNED:
            self.doubt()
        self._storm.crashed(account.key, _now())
        if self._began is None and self._rages():
            self._began = _now()
            self.storms += 1
            self._gate.interval = 1 / STARTS_PER_SECOND
            self._stirred.set()

    def warnings(self) -> list[str]:
        """Return what a person should know, one sentence each."""
        if self._began is None:
            return []
        felled, total = self._storm.felled(_now()), len(list(self._accounts()))
        cause = "; ".join(self.shared_causes()) or "none found: look at the accounts' logs"
        pace = f"at most {STARTS_PER_SECOND:g} starts per second"
        return [
            f"{felled} of {total} accounts crashed within {WINDOW:g} s ({pace}); cause: {cause}"
        ]

    def shared_causes(self) -> list[str]:
        """Return what is wrong with that which all accounts share."""
        found = [self._broken] if self._broken else []
        if not self._network.up:
            found.append("this host has no route to the network")
        if not self._gateway_up():
            found.append("the gateway does not answer")
        free = self._memory()
        if free < LITTLE_MEMORY:
            found.append(f"only {100 * free:.0f} % of the memory is free")
        return found

    def _rages(self) -> bool:
        return self._storm.rages(len(list(self._accounts())), _now())

    async def _calm(self) -> None:
        """Look for the cause of each storm, and end it once no more accounts crash than usual."""
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            self._broken = await self._mend()
            if self._began is not None:
                log.error("many accounts have crashed together", what=self.warnings()[0])
            while self._rages():  # noqa: ASYNC110 - its end is an event of the clock
                await asyncio.sleep(1.0)
            self._end_storm()

    def _end_storm(self) -> None:
        if self._began is not None:
            self._began = self._broken = None
            self._gate.interval = 0.0
            log.info("the storm is over")

    def _network_returned(self) -> None:
        waiting = [
            account
            for account in self._accounts()
            if account.phase is Phase.BACKOFF and account.child.state.cause in CAUSED_BY_THE_NETWORK
        ]
        self._storm.clear()  # its cause is gone: nobody need wait for the pace any more
        self._end_storm()
        log.info("the network is back", accounts=len(waiting))
        for account in waiting:
            account.child.post(Start(automatic=True, reason="the network is back"))


def free_memory(meminfo: Path = Path("/proc/meminfo")) -> float:
    """Return which share of the memory is available (proc(5)); 1.0 where nobody knows."""
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
