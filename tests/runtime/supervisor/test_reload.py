"""A new configuration touches only what changed, and is read beside everything else."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ipc.errors import RemoteError
from ipc.frames import control
from ipc.frames.words import Phase
from runtime.config.load import Loaded
from runtime.supervisor.reload import apply_config, reread, reread_soon
from tests.support.supervisor_rig import SupervisorRig, running
from tests.support.until import PATIENCE, until

A, B, C = "local:a", "local:b", "local:c"
ECHO = "agent:echo"


class SlowFile:
    """A file that takes until ``go`` to be read."""

    def __init__(self, rig: SupervisorRig) -> None:
        self.rig = rig
        self.begun, self.go = threading.Event(), threading.Event()
        rig.parts.configuration.read = self.load

    def load(self, text: str | None = None) -> Loaded:
        self.begun.set()
        assert self.go.wait(PATIENCE)
        return self.rig.load(text)


async def test_the_supervisor_answers_while_a_large_file_is_read() -> None:
    async with running(A) as rig:
        await rig.is_in(Phase.RUNNING, A)
        file, client = SlowFile(rig), await rig.client()
        rig.accounts = {"a": {}, "b": {}}
        reread_soon(rig.parts)
        await until(file.begun.is_set, PATIENCE)
        rows = (await client.call("supervisor.status", {}, timeout=PATIENCE))["accounts"]
        assert [row["account"] for row in rows] == [A]
        file.go.set()
        await until(lambda: B in rig.parts.accounts, PATIENCE)
        await client.close()


async def test_an_unreadable_file_is_reported() -> None:
    async with running(A) as rig:
        rig.config_error = OSError(5, "Input/output error")
        told: list[str] = []
        reread_soon(rig.parts, refused=told.append)
        await until(lambda: told, PATIENCE)
        assert "Input/output error" in told[0]
        assert "not taken over" in rig.status().supervisor.warnings[0]
        with pytest.raises(RemoteError, match="Input/output error"):
            await rig.ask("config.reload")


async def test_the_end_does_not_wait_for_what_it_will_not_take_over() -> None:
    async with running(A) as rig:
        file = SlowFile(rig)
        reread_soon(rig.parts)
        await until(file.begun.is_set, PATIENCE)
        rig.parts.shutdown.request("SIGTERM")
        file.go.set()


async def test_a_reload_adds_removes_and_keeps() -> None:
    async with running(A, B) as rig:
        await rig.is_in(Phase.RUNNING, A, B)
        client = await rig.client()
        rig.accounts = {"b": {}, "c": {}}
        done = rig.reload()
        assert (done["added"], done["removed"], done["changed"]) == ([C], [A], [])
        await rig.is_in(Phase.RUNNING, B, C)
        await until(lambda: A not in rig.parts.accounts, PATIENCE)
        assert len(rig.launcher.of(B)) == 1
        gateway = rig.launcher.gateway
        await gateway.until(lambda: any(report.get("removed") == [A] for report in gateway.reports))
        async for event in client.events():
            if event.event == "channel.removed":
                break
        await client.close()


async def test_changed_thresholds_apply_at_once_without_a_restart() -> None:
    async with running(A, B) as rig:
        await rig.is_in(Phase.RUNNING, A, B)
        worker = rig.launcher.of(A)[0].worker
        rig.own = {"beatSeconds": 0.05, "suspectAfterSeconds": 0.1, "silentAfterSeconds": 600.0}
        done = rig.reload()
        assert (done["changed"], done["warnings"]) == ([A, B, ECHO], [])
        await until(lambda: len(worker.told()) >= 2, PATIENCE)
        pace, ping = worker.told()[:2]
        assert pace == control.BeatInterval(0.05)
        assert isinstance(ping, control.Ping)
        assert rig.parts.accounts[A].status().health == "degraded: silent"
        assert len(rig.launcher.of(A)) == len(rig.launcher.of(B)) == 1


async def test_accounts_that_a_change_for_all_of_them_touches_are_named() -> None:
    async with running(A, B) as rig:
        await rig.is_in(Phase.RUNNING, A, B)
        rig.accounts = {"a": {}, "b": {"healthMonitor": {"enabled": False}}}
        assert rig.reload()["changed"] == [B]
        rig.own = {"limits": {"niceness": 1}}
        assert rig.reload()["changed"] == [A, B, ECHO]
        rig.own = {"limits": {"niceness": 1}, "startConcurrency": 3}
        assert rig.reload()["changed"] == []
        assert len(rig.launcher.of(A)) == len(rig.launcher.of(B)) == 1


async def test_a_configuration_that_cannot_be_read_changes_nothing() -> None:
    async with running(A) as rig:
        await rig.is_in(Phase.RUNNING, A)
        rig.config_error = OSError(5, "Input/output error")
        with pytest.raises(RemoteError, match="Input/output error"):
            await reread(rig.parts)
        assert "not taken over" in rig.status().supervisor.warnings[0]
        rig.config_error = None
        rig.reload()
        assert len(rig.launcher.of(A)) == 1
        assert rig.status().supervisor.warnings == []


async def test_s052_the_file_is_read_only_on_request_or_after_a_change() -> None:
    async with running(A) as rig:
        await rig.is_in(Phase.RUNNING, A)
        rig.read = 0
        for _ in range(3):
            await rig.ask("gateway.restart")
            await rig.ask("channels.restart", accounts=[A])
            rig.status()
            rig.parts.reconfiguration.apply(asked=True, changed=True)
        assert rig.read == 0
        await reread(rig.parts)
        assert rig.read == 1
        apply_config(rig.parts, rig.parts.configuration.loaded)  # its writer has read it
        assert rig.read == 1


async def test_a_reload_while_accounts_start_loses_none() -> None:
    async with running(A, startConcurrency=1) as rig:
        for number in range(20):
            rig.accounts = {"a": {}, f"n{number % 3}": {}}
            rig.reload()
            await asyncio.sleep(0)
        last = f"local:n{19 % 3}"
        await until(lambda: set(rig.parts.accounts) == {A, last}, PATIENCE)
        await rig.is_in(Phase.RUNNING, A, last)
        for key in {child.key for child in rig.launcher.children} - {"gateway"}:
            numbers = [child.incarnation for child in rig.launcher.of(key)]
            assert numbers == sorted(set(numbers))
            assert sum(child.alive for child in rig.launcher.of(key)) == (key in (A, last, ECHO))


async def test_the_agent_that_is_there_without_entries_runs_while_an_account_asks_it() -> None:
    async with running(A) as rig:
        await rig.is_in(Phase.RUNNING, A)
        assert list(rig.parts.agents) == [ECHO]
        rig.accounts = {"a": {"agent": "none"}}
        assert rig.reload()["removed"] == [ECHO]
        await until(lambda: not rig.parts.agents, PATIENCE)
        rig.accounts = {"a": {"agent": "none"}, "b": {}}
        assert rig.reload()["added"] == [B, ECHO]
        rig.accounts = {"a": {"agent": "none"}, "b": {"enabled": False}}
        rig.reload()
        await until(lambda: not rig.parts.agents, PATIENCE)
        assert len(rig.launcher.of(A)) == 1


async def test_the_end_takes_no_reload_and_no_start() -> None:
    async with running(A) as rig:
        await rig.is_in(Phase.RUNNING, A)
        rig.launcher.of(A)[-1].deaf = True
        rig.parts.shutdown.request("SIGTERM")
        with pytest.raises(RemoteError, match="the supervisor is stopping"):
            rig.reload()
        rows = (await rig.ask("channels.start", accounts=[A]))["results"]
        assert rows[0]["reason"] == "shutdown"
        with pytest.raises(RemoteError, match="the supervisor is stopping"):
            await rig.ask("gateway.restart")
