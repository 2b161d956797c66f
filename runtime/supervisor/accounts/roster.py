"""Adds, changes, removes, holds and releases the accounts and agents of a running supervisor.

An account never has two processes, however the configuration changes: a removed account stays until
its process has ended, and one that is added again before that continues. Its incarnation numbers
only grow, also across removals. Everything said about accounts also applies to agents, except that
"all accounts" does not include them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

import msgspec

from ipc.frames.status import Hold
from ipc.frames.words import Phase, is_agent
from ipc.identity.peer import peer_name
from runtime.config.worker_spec import WorkerSpec
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.holds import Holds
from runtime.supervisor.child import supervise
from runtime.supervisor.lifecycle import (
    CONFIGURATION,
    HELD,
    HOLD_UNKNOWN,
    Reset,
    Restart,
    Start,
    State,
    Stop,
)
from runtime.supervisor.processes.cgroups import GroupLimits
from runtime.supervisor.processes.limits import group_limits


class Difference(msgspec.Struct, frozen=True):
    """The keys of accounts that a new configuration adds, removes and changes.

    ``changed`` are accounts with other effective settings, restarted or not.
    """

    added: list[str]
    removed: list[str]
    changed: list[str]


def is_down(state: State) -> bool:
    """Return whether nothing of the account runs or will start automatically."""
    return state.phase in (Phase.STOPPED, Phase.FAILED)


class Roster:
    """The accounts and agents by key. ``make(spec, first_incarnation, hold)`` creates one.

    ``on_removed(key, last)`` is called when a removed account is gone for good, with the number
    of its last incarnation.
    """

    def __init__(
        self,
        holds: Holds,
        *,
        first_incarnation: int,
        make: Callable[[WorkerSpec, int, Hold | None], Account],
        on_removed: Callable[[str, int], None],
    ) -> None:
        self.accounts: dict[str, Account] = {}
        self.agents: dict[str, Account] = {}
        self.closing = False
        self._holds = holds
        self._first_incarnation = first_incarnation
        self._make = make
        self._on_removed = on_removed
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._last: dict[str, int] = {}  # incarnations of accounts that were removed

    @property
    def workers(self) -> dict[str, Account]:
        """The accounts, then the agents."""
        return {**self.accounts, **self.agents}

    def get(self, key: str) -> Account | None:
        """Return the account or agent with this key; ``None`` if there is none."""
        return self._table_of(key).get(key)

    def _table_of(self, key: str) -> dict[str, Account]:
        return self.agents if is_agent(key) else self.accounts

    def add(self, spec: WorkerSpec) -> None:
        """Add a worker and start it, unless something prevents that (see ``obstacle``)."""
        first = self._last.get(spec.key, self._first_incarnation)
        account = self._make(spec, first, self._holds.get(spec.key))
        self._table_of(spec.key)[spec.key] = account
        self._lives[spec.key] = asyncio.create_task(supervise(account.child), name=spec.key)
        self._apply_wanted(account)

    def difference(self, specs: Mapping[str, WorkerSpec]) -> Difference:
        """Return what a new configuration changes."""
        old = {key: a.spec for key, a in self.workers.items() if key not in self._leaving}
        return Difference(
            added=[key for key in specs if key not in old],
            removed=[key for key in old if key not in specs],
            changed=[key for key in specs if key in old and old[key] != specs[key]],
        )

    def apply_specs(self, specs: Mapping[str, WorkerSpec], by: str | None = None) -> Difference:
        """Apply a new configuration; unchanged accounts keep running.

        The hold and the failures of a removed account are forgotten: one that is added later is
        another account, even while the process of the first has not ended.
        ``by`` is who made the change, for the history.
        """
        present, difference = self.workers, self.difference(specs)
        self._release(present[key] for key in difference.removed)
        for key in difference.removed:
            present[key].child.post(Stop("removed", by=by))
            self._leaving[key] = asyncio.create_task(self._forget(present[key]))
        for key, spec in specs.items():
            if key not in present:
                self.add(spec)
            else:
                self._update(present[key], spec, by)
        present, keys = self.workers, [*specs, *self._leaving]
        self.accounts = {key: present[key] for key in keys if not is_agent(key)}
        self.agents = {key: present[key] for key in keys if is_agent(key)}
        return difference

    def obstacle(self, account: Account) -> tuple[str, str] | None:
        """Return the cause why an account may not run, with a sentence; ``None`` if it may."""
        spec = account.spec
        if self.closing:
            return "shutdown", "the supervisor is stopping"
        if account.key in self._leaving:
            return "removed", "it is no longer in the configuration"
        if not spec.enabled:
            return "disabled", spec.reason or "disabled in the configuration"
        if not spec.configured:
            return "unconfigured", spec.reason or "not configured"
        return None

    def idle_for(self, account: Account) -> str | None:
        """Return the cause in the configuration that keeps an account down, if there is one."""
        obstacle = self.obstacle(account)
        return obstacle[0] if obstacle and obstacle[0] in ("disabled", "unconfigured") else None

    def hold(
        self, accounts: Iterable[Account], reason: str | None, by: str | None = None
    ) -> Coroutine[Any, Any, bool]:
        """Hold accounts at once; await the result to know whether all holds are on disk.

        The caller stops them meanwhile, and acknowledges the stop after the result.
        """
        chosen = list(accounts)
        self._holds.hold_all([account.key for account in chosen], reason, by)
        for account in chosen:
            account.set_hold(self._holds.get(account.key))
        self._holds.save_soon()
        return self._holds.wait_saved()

    def release(self, accounts: Iterable[Account]) -> Coroutine[Any, Any, bool]:
        """Release manual stops at once; await the result to wait until that is on disk."""
        return self._holds.wait_saved() if self._release(accounts) else _nothing_to_save()

    def _release(self, accounts: Iterable[Account]) -> bool:
        """Release manual stops; return whether there were any."""
        held = [account for account in accounts if account.hold is not None]
        for account in held:
            account.set_hold(None)
        if held:
            self._holds.release_all([account.key for account in held])
            self._holds.save_soon()
        return bool(held)

    def apply_limits(self, limit_group: Callable[[str, GroupLimits], None]) -> None:
        """Apply the configured limits to the running workers.

        ``limit_group(peer, limits)`` changes a worker's control group.
        """
        for account in self.workers.values():
            account.bind()
            peer = peer_name(account.key, account.child.state.incarnation)
            limit_group(peer, group_limits(account.spec.limits))

    def pending_limits(self) -> list[str]:
        """Return a warning for each worker that could not be given all its new limits."""
        found = []
        for account in self.workers.values():
            if account.unmet_limits:
                fields = ", ".join(f"limits.{name}" for name in account.unmet_limits)
                found.append(
                    f"{account.key}: {fields}: applies from its next start; the kernel does not "
                    "permit raising it for a running process"
                )
        return found

    def close_entry(self) -> None:
        """Refuse all further starts: the end of the supervisor has begun."""
        self.closing = True

    def stop_all(self) -> None:
        """Stop every account and agent, for the end of the supervisor."""
        self.close_entry()
        for account in self.workers.values():
            account.child.post(Stop("shutdown"))

    async def wait_down(self, timeout: float) -> None:
        """Wait until every account and agent is down, for at most ``timeout`` seconds."""
        waits = [account.wait_until(is_down, timeout) for account in self.workers.values()]
        await asyncio.gather(*waits)

    async def close(self) -> None:
        """End everything at once; kill processes that still run."""
        tasks = [*self._leaving.values(), *self._lives.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._lives.clear()
        self._leaving.clear()
        await self._holds.wait_saved()

    def _apply_wanted(self, account: Account) -> None:
        """Start an account automatically, or post why it may not run."""
        obstacle = self.obstacle(account)
        if obstacle is not None:
            account.child.post(Stop(obstacle[0]))
        elif account.hold is not None:
            cause = HOLD_UNKNOWN if account.hold.unknown else HELD
            account.child.post(Stop(cause, account.hold.reason))
        else:
            account.child.post(Start(automatic=True))

    def _update(self, account: Account, spec: WorkerSpec, by: str | None) -> None:
        changed, other = _differs(account.spec, spec), account.spec != spec
        account.configure(spec)
        returned = self._leaving.pop(account.key, None)
        if returned is not None:
            returned.cancel()
            account.child.post(Reset(by=by))
        idle = account.phase is Phase.STOPPED or account.hold is not None
        if returned is not None or (changed and (idle or self.obstacle(account) is not None)):
            self._apply_wanted(account)
            if other:
                account.add_note("its configuration changed", by)
        elif changed:
            reason = "its configuration changed"
            account.child.post(Restart(automatic=True, reason=reason, why=CONFIGURATION, by=by))
        elif other:
            account.add_note("its configuration changed, and nothing had to be restarted", by)

    async def _forget(self, account: Account) -> None:
        key = account.key
        await account.wait_until(is_down, None)
        del self._leaving[key], self._table_of(key)[key]
        last = self._last[key] = account.child.state.incarnation
        self._lives.pop(key).cancel()
        self._on_removed(key, last)


async def _nothing_to_save() -> bool:
    return True


def _differs(old: WorkerSpec, new: WorkerSpec) -> bool:
    """Return whether a change affects the worker, or whether it may run."""
    seen = (old.fingerprint, old.enabled, old.configured)
    return seen != (new.fingerprint, new.enabled, new.configured)
