"""Accounts without processes: puppets stand in for them, which start and end as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from ipc.frames.bootstrap import WorkerBoot
from ipc.frames.words import Phase
from runtime.config.accounts import AccountSpec
from runtime.config.agents import AgentSpec
from runtime.config.supervisor_model import AccountLimitsConfig, HealthMonitorConfig, RestartConfig
from runtime.config.worker_spec import WorkerSpec
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.heartbeat import Silence
from runtime.supervisor.accounts.launch import Launched
from runtime.supervisor.lifecycle import Exit, Ready, Start
from runtime.supervisor.policy import policy_of
from runtime.supervisor.processes.limits import ProcessLimits
from tests.support.until import until
from workers.agents.echo import manifest as echo
from workers.channels.local import manifest

QUICK = RestartConfig(jitter=0.0)
COMMON: dict[str, Any] = {
    "enabled": True,
    "configured": True,
    "reason": None,
    "config": {},
    "name": None,
    "restart": QUICK,
    "health": HealthMonitorConfig(),
    "limits": AccountLimitsConfig(),
    "launcher": "zygote",
    "fingerprint": "1",
}


def spec_of(key: str = "local:demo", **fields: Any) -> AccountSpec:
    """Return the specification of an account of the channel ``local``."""
    channel, _, account_id = key.partition(":")
    given: dict[str, Any] = {
        "key": key,
        "channel": channel,
        "account_id": account_id,
        "agent": "echo",
        "journal": "off",
        "manifest": manifest,
        "manifest_ref": "workers.channels.local:manifest",
        "label": "a unix socket",
    }
    if "status" in fields:
        given["manifest"] = replace(manifest, status=fields.pop("status"))
    return AccountSpec(**(COMMON | given | fields))


def agent_of(id: str = "main", **fields: Any) -> AgentSpec:
    """Return the specification of an agent of the kind ``echo``."""
    given: dict[str, Any] = {
        "key": f"agent:{id}",
        "channel": "agent",
        "account_id": id,
        "manifest": echo,
        "manifest_ref": "workers.agents.echo:manifest",
        "label": "",
    }
    return AgentSpec(**(COMMON | given | fields))


# As the configuration has it where it says nothing else.
ACCOUNT_POLICY = policy_of(spec_of(restart=RestartConfig()))


class Puppet:
    """A fake process that ends on SIGTERM, unless it is deaf; a kill always ends it."""

    def __init__(self, key: str, incarnation: int, pid: int, *, deaf: bool = False) -> None:
        self.key = key
        self.incarnation = incarnation
        self.pid = pid
        self.signals: list[str] = []
        self.deaf = deaf
        self._exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    def terminate(self) -> None:
        self.signals.append("terminate")
        if not self.deaf:
            self.die(Exit(code=0))

    def kill(self) -> None:
        self.signals.append("kill")
        self.die(Exit(signal=9))

    def die(self, how: Exit) -> None:
        if not self._exit.done():
            self._exit.set_result(how)

    @property
    def alive(self) -> bool:
        return not self._exit.done()

    async def wait(self) -> Exit:
        return await asyncio.shield(self._exit)


class Stage:
    """Launches puppets, deaf ones when ``deaf``; or raises ``error`` instead.

    ``log_dropped`` is how many lines of an incarnation's output were dropped.
    """

    def __init__(self) -> None:
        self.puppets: list[Puppet] = []
        self.deaf = False
        self.pid = 999_999_999  # of nobody
        self.error: Exception | None = None
        self.log_dropped = 0
        self.turns: list[tuple[str, bool]] = []  # which account waited for its turn, how urgently
        self.limits: ProcessLimits | None = None

    async def wait_turn(self, key: str, *, urgent: bool) -> None:
        self.turns.append((key, urgent))
        await asyncio.sleep(0)

    def prepare(self, spec: WorkerSpec, incarnation: int) -> WorkerBoot:
        return WorkerBoot(
            spec.key,
            incarnation,
            token="",
            control="",
            data="",
            manifest=spec.manifest_ref,
            config=spec.config,
            storage="",
            run_dir="",
        )

    async def spawn(self, spec: WorkerSpec, boot: WorkerBoot) -> Launched:
        if self.error is not None:
            raise self.error
        self.puppets.append(Puppet(spec.key, boot.incarnation, self.pid, deaf=self.deaf))
        return Launched(self.puppets[-1], self.limits, lambda: self.log_dropped)

    @property
    def last(self) -> Puppet:
        return self.puppets[-1]

    def alive(self, key: str) -> list[int]:
        """Return the incarnations of ``key`` that live now."""
        return [each.incarnation for each in self.puppets if each.key == key and each.alive]


def account_of(
    stage: Stage,
    spec: WorkerSpec | None = None,
    *,
    on_change: Callable[[Account], None] = lambda account: None,
    **fields: Any,
) -> Account:
    """Return an account whose processes are puppets of ``stage``; incarnations begin with 101."""
    given: dict[str, Any] = {
        "silence": Silence(15.0, 30.0),
        "first_incarnation": 100,
        "hold": None,
    }
    return Account(spec or spec_of(), launcher=stage, on_change=on_change, **(given | fields))


@asynccontextmanager
async def living(account: Account) -> AsyncIterator[Account]:
    """Run the account's child."""
    task = asyncio.create_task(account.child.run())
    try:
        yield account
    finally:
        task.cancel()
        await asyncio.wait([task])


async def start(account: Account) -> None:
    """Start an account and report that it is ready."""
    account.child.post(Start())
    await until(lambda: account.child.process is not None)
    account.child.post(Ready(account.child.state.incarnation))
    await phase(account, Phase.RUNNING)


async def phase(account: Account, wanted: Phase) -> None:
    """Wait until the account is in a phase."""
    assert await account.wait_until(lambda state: state.phase is wanted, 1000.0)
