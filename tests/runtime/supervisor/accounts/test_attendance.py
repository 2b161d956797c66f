"""An agent without a process is as running as the program in its place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ipc.frames.bootstrap import WorkerBoot
from ipc.frames.words import Phase
from ipc.heartbeat import Verdict
from runtime.config.worker_spec import WorkerSpec
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.attendance import post_attachment
from runtime.supervisor.accounts.launch import Launched
from runtime.supervisor.accounts.link_reports import LinkReports
from runtime.supervisor.child import StandInProcess
from runtime.supervisor.lifecycle import Start, Stop
from tests.support.accounts import Stage, account_of, agent_of, living, spec_of, start
from tests.support.until import until
from workers.agents.client import manifest

pytestmark = pytest.mark.virtual_time
KEY = "agent:main"


class Empty(Stage):
    """Launches nothing."""

    async def spawn(self, spec: WorkerSpec, boot: WorkerBoot) -> Launched:
        return Launched(StandInProcess())


class AttachedAgentRig:
    """An agent of kind ``client``, and the gateway's reports about it."""

    def __init__(self) -> None:
        self.account: Account = account_of(
            Empty(), agent_of(manifest=manifest), on_change=self._changed
        )
        self.links = LinkReports(lambda: {KEY: self.account}, lambda account: None)

    def _changed(self, account: Account) -> None:
        post_attachment(account, account.key in self.links.attached)

    async def has(self, phase: Phase, cause: str | None) -> None:
        await until(lambda: (self.account.phase, self.account.child.state.cause) == (phase, cause))


@asynccontextmanager
async def attended() -> AsyncIterator[AttachedAgentRig]:
    made = AttachedAgentRig()
    async with living(made.account) as account:
        account.child.post(Start())
        await made.has(Phase.STARTING, "nobody_attached")
        yield made


async def test_it_runs_while_a_program_is_attached_and_starts_else() -> None:
    async with attended() as rig:
        row = rig.account.status()
        assert (row.phase, row.cause, row.pid) == ("starting", "nobody_attached", None)
        for _ in range(2):
            rig.links.apply({"attached": [KEY]})
            await rig.has(Phase.RUNNING, None)
            row = rig.account.status()
            assert (row.pid, row.health, row.restarts) == (None, "ok", 0)
            assert rig.account.check(1e9) is Verdict.ALIVE, "there is nothing to beat"
            rig.links.set_attached([])
            await rig.has(Phase.STARTING, "nobody_attached")
        assert rig.account.child.state.reason == "nobody attached"


async def test_without_a_gateway_no_program_counts_as_attached() -> None:
    async with attended() as rig:
        rig.links.set_attached([KEY])
        await rig.has(Phase.RUNNING, None)
        rig.links.on_gateway_lost()
        await rig.has(Phase.STARTING, "nobody_attached")


async def test_it_is_stopped_and_started_as_any_other() -> None:
    async with attended() as rig:
        rig.links.set_attached([KEY])
        await rig.has(Phase.RUNNING, None)
        rig.account.child.post(Stop())
        await rig.has(Phase.STOPPED, "held")
        rig.account.child.post(Start())
        await rig.has(Phase.RUNNING, None)


async def test_an_account_with_a_process_does_not_care() -> None:
    async with living(account_of(Stage(), spec_of("local:a"))) as account:
        await start(account)
        post_attachment(account, False)
        await until(lambda: account.phase is Phase.RUNNING)
        assert account.child.state.cause is None
