"""Many accounts on virtual time: the real roster, holds, start gate, history and surroundings.

Only the processes are played. A fleet can be ended and begun again on the same directory, as
a supervisor is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ipc.frames.status import AccountStatus, Hold
from ipc.frames.words import Phase
from runtime.config.accounts import AccountSpec
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.crash_storm import CrashStorm
from runtime.supervisor.accounts.heartbeat import Silence
from runtime.supervisor.accounts.history import History
from runtime.supervisor.accounts.holds import Holds
from runtime.supervisor.accounts.network import Network
from runtime.supervisor.accounts.roster import Roster
from runtime.supervisor.accounts.start_queue import StartQueue
from runtime.supervisor.instance import INCARNATIONS_BITS
from runtime.supervisor.lifecycle import Exit, Ready, Reset, Restart, Start, Stop
from tests.support.accounts import Puppet, spec_of
from tests.support.life import CRASH, pass_time, settle


class Fleet:
    """The accounts of one supervisor. ``boot`` is its number on this directory."""

    def __init__(
        self, directory: Path, specs: Iterable[AccountSpec], *, boot: int = 1, concurrency: int = 8
    ) -> None:
        self.specs = {spec.key: spec for spec in specs}
        self.puppets: list[Puppet] = []
        self.spawned: list[tuple[float, str]] = []
        self.told: list[AccountStatus] = []
        self.deaf: set[str] = set()
        self.broken: dict[str, Exception] = {}  # by key: raised instead of a spawn
        self.spawn_seconds = 0.0
        self.ready_by_itself = False
        self.removed: list[str] = []
        self.route = True
        self.gateway_up = True
        self.free_memory = 0.5
        self.zygote_trouble: str | None = None
        self.mended = 0
        self.failing: set[str] = set()  # keys whose changes cannot be told
        self.holds = Holds(directory / "holds.json")
        self.history = History(directory / "history.jsonl")
        self.gate = StartQueue(concurrency)
        self.roster = Roster(
            self.holds,
            first_incarnation=boot << INCARNATIONS_BITS,
            make=self._make,
            on_removed=self.removed.append,
        )
        self.crash_storm = CrashStorm(
            self.gate,
            lambda: self.roster.accounts.values(),
            gateway_up=lambda: self.gateway_up,
            repair=self._mend,
            network=self._network,
            memory=lambda: self.free_memory,
        )

    async def _mend(self) -> str | None:
        self.mended += 1
        return self.zygote_trouble

    def _network(self, on_return: Callable[[], None]) -> Network:
        return Network(on_return, has_route=lambda: self.route, notices=lambda: None)

    def _make(self, spec: AccountSpec, first_incarnation: int, hold: Hold | None) -> Account:
        return Account(
            spec,
            silence=Silence(15.0, 30.0),
            first_incarnation=first_incarnation,
            spawn=self._spawn,
            on_change=self._changed,
            hold=hold,
            past=self.history.shown(spec.key),
            on_event=self.history.add,
        )

    async def _spawn(self, account: Account, incarnation: int) -> Any:
        await self.gate.enter(account.key, urgent=account.take_urgency())
        self.spawned.append((asyncio.get_running_loop().time(), account.key))
        await asyncio.sleep(self.spawn_seconds)
        self.gate.leave(account.key)
        if account.key in self.broken:
            raise self.broken[account.key]
        account.begin()
        deaf = account.key in self.deaf
        self.puppets.append(Puppet(account.key, incarnation, 999_999_999, deaf=deaf))
        if self.ready_by_itself:
            account.child.post(Ready(incarnation))
        return self.puppets[-1]

    def _changed(self, account: Account) -> None:
        if account.key in self.failing:
            raise RuntimeError("a follower of changes that fails")
        if account.phase is Phase.STOPPING:
            self.gate.withdraw(account.key)
        self.crash_storm.changed(account)
        self.told.append(account.status())
        assert len(self.alive(account.key)) <= 1

    @property
    def accounts(self) -> dict[str, Account]:
        return self.roster.accounts

    def account(self, key: str) -> Account:
        return self.roster.accounts[key]

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

    # What a person does (``runtime.supervisor.api.table`` does the same)

    async def start(self, key: str) -> None:
        account = self.account(key)
        if self.roster.obstacle(account) is None:
            saving = self.roster.release([account])
            account.hurry()
            self.gate.to_front(key)
            account.child.post(Start())
            await saving
        await settle()

    async def stop(self, key: str, reason: str | None = None) -> None:
        account = self.account(key)
        saving = self.roster.hold([account], reason)
        account.child.post(Stop("held", reason))
        await saving
        await settle()

    async def restart(self, key: str) -> None:
        account = self.account(key)
        if self.roster.obstacle(account) is None:
            saving = self.roster.release([account])
            account.hurry()
            account.child.post(Restart(reason="asked for by an operator"))
            await saving
        await settle()

    async def reset(self, key: str) -> None:
        self.account(key).child.post(Reset())
        await settle()

    async def configure(self, *specs: AccountSpec) -> None:
        """Take over another configuration."""
        self.specs = {spec.key: spec for spec in specs}
        self.roster.replace(self.specs)
        await settle()

    # What processes do

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
    directory: Path, *specs: AccountSpec, boot: int = 1, graceful: bool = False, **more: Any
) -> AsyncIterator[Fleet]:
    """Run a fleet; at its end no process may be left. ``graceful``: ended as by Ctrl-C."""
    made = Fleet(directory, specs or [spec_of("local:a"), spec_of("local:b")], boot=boot, **more)
    watch = asyncio.create_task(made.crash_storm.run())
    try:
        for spec in made.specs.values():
            made.roster.add(spec)
        await settle()
        yield made
        if graceful:
            made.roster.stop_all()
            await made.roster.down(60.0)
    finally:
        watch.cancel()
        await asyncio.wait([watch])
        await made.roster.close()
        made.gate.close()
        made.history.close()
        assert not [puppet for puppet in made.puppets if puppet.alive]
