"""Many accounts on virtual time: a supervisor's real parts, with puppets as processes.

A fleet can be ended and begun again on the same directory, as a supervisor is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ipc.frames.status import AccountStatus
from ipc.frames.words import Phase
from runtime.config.accounts import AccountSpec
from runtime.config.worker_spec import WorkerSpec
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.holds import Holds
from runtime.supervisor.accounts.roster import Roster
from runtime.supervisor.instance import INCARNATIONS_BITS
from runtime.supervisor.lifecycle import Exit, Ready
from runtime.supervisor.processes.process import Spec
from runtime.supervisor.reactions import on_account_hello
from tests.support.accounts import Puppet, spec_of
from tests.support.child_rig import CRASH, pass_time, settle
from tests.support.parts_rig import Outside, PartsRig
from tests.support.players import PlayedLauncher


class PuppetLauncher(PlayedLauncher):
    """Spawns puppets, which connect at once and are ready when the fleet says so."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__()
        self._fleet = fleet

    async def spawn(self, spec: Spec) -> Any:
        fleet, (key, _, incarnation) = self._fleet, spec.name.rpartition("#")
        fleet.spawned.append((asyncio.get_running_loop().time(), key))
        await asyncio.sleep(fleet.spawn_seconds)
        if key in fleet.broken:
            raise fleet.broken[key]
        puppet = Puppet(key, int(incarnation), 999_999_999, deaf=key in fleet.deaf)
        fleet.puppets.append(puppet)
        assert len(fleet.alive(key)) == 1
        on_account_hello(fleet.rig.parts, fleet.account(key))
        if fleet.ready_by_itself:
            fleet.account(key).child.post(Ready(int(incarnation)))
        return puppet


class Fleet:
    """The accounts of one supervisor. ``boot`` is its number on this directory."""

    def __init__(
        self, directory: Path, specs: Iterable[WorkerSpec], *, boot: int = 1, concurrency: int = 8
    ) -> None:
        self.specs = {spec.key: spec for spec in specs}
        self.puppets: list[Puppet] = []
        self.spawned: list[tuple[float, str]] = []
        self.deaf: set[str] = set()
        self.broken: dict[str, Exception] = {}  # by key: raised instead of a spawn
        self.spawn_seconds = 0.0
        self.ready_by_itself = False
        self.zygote_failure: str | None = None
        self.repaired = 0
        self.outside = Outside(gateway_up=True, repair=self._repair)
        self.rig = PartsRig(
            directory,
            launcher=PuppetLauncher(self),
            outside=self.outside,
            boot=boot,
            first_incarnation=boot << INCARNATIONS_BITS,
            concurrency=concurrency,
        )
        self.parts = self.rig.parts

    async def _repair(self) -> str | None:
        self.repaired += 1
        return self.zygote_failure

    @property
    def roster(self) -> Roster:
        return self.parts.roster

    @property
    def holds(self) -> Holds:
        return self.parts.holds

    @property
    def accounts(self) -> dict[str, Account]:
        return self.parts.accounts

    @property
    def told(self) -> list[AccountStatus]:
        return self.rig.told

    @property
    def removed(self) -> list[str]:
        return self.rig.removed

    def account(self, key: str) -> Account:
        return self.parts.roster.workers[key]

    def phase(self, key: str) -> Phase:
        return self.account(key).phase

    def row(self, key: str) -> AccountStatus:
        return self.account(key).status()

    def alive(self, key: str) -> list[Puppet]:
        return [puppet for puppet in self.puppets if puppet.key == key and puppet.alive]

    def spawns(self, key: str) -> list[float]:
        """Return when the account was spawned."""
        return [at for at, name in self.spawned if name == key]

    def phases(self, key: str) -> list[str]:
        """Return the phases an account went through, repetitions folded."""
        found: list[str] = []
        for row in self.told:
            if row.account == key and found[-1:] != [row.phase]:
                found.append(row.phase)
        return found

    async def ask(self, name: str, key: str, **params: Any) -> dict[str, Any]:
        """Make an operator's request about one account; return its row of the answer."""
        answer = await self.rig.ask(name, accounts=[key], **params)
        await settle()
        (row,) = answer["results"]
        return dict(row)

    async def start(self, key: str) -> None:
        await self.ask("channels.start", key)

    async def stop(self, key: str, reason: str | None = None) -> None:
        await self.ask("channels.stop", key, reason=reason, wait=False)

    async def restart(self, key: str) -> None:
        await self.ask("channels.restart", key)

    async def reset(self, key: str) -> None:
        await self.ask("channels.reset", key)

    async def configure(self, *specs: AccountSpec) -> None:
        """Apply another configuration."""
        accounts = {spec.key: spec for spec in specs}
        self.specs = dict(accounts)
        self.rig.take_over(accounts)
        await settle()

    async def ready(self, *keys: str) -> None:
        for key in keys or list(self.accounts):
            account = self.account(key)
            account.child.post(Ready(account.child.state.incarnation))
        await settle()

    async def crash(self, *keys: str, how: Exit = CRASH) -> None:
        for key in keys:
            for puppet in self.alive(key):
                puppet.die(how)
        await settle()

    async def wait(self, seconds: float) -> None:
        await pass_time(seconds)


@asynccontextmanager
async def fleet(
    directory: Path, *specs: WorkerSpec, boot: int = 1, graceful: bool = False, **more: Any
) -> AsyncIterator[Fleet]:
    """Run a fleet; at its end no process may be left. ``graceful``: ended as by Ctrl-C."""
    made = Fleet(directory, specs or [spec_of("local:a"), spec_of("local:b")], boot=boot, **more)
    watch = asyncio.create_task(made.parts.storm.run())
    try:
        for spec in made.specs.values():
            made.roster.add(spec)
        await settle()
        yield made
        if graceful:
            made.roster.stop_all()
            await made.roster.wait_down(60.0)
    finally:
        watch.cancel()
        await asyncio.wait([watch])
        await made.roster.close()
        made.rig.close()
        assert not [puppet for puppet in made.puppets if puppet.alive]
