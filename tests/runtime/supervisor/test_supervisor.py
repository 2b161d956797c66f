"""The whole supervisor with played children: starts, crashes, requests, the end."""

from __future__ import annotations

import asyncio
import json

import pytest
import structlog

from ipc.errors import EndpointError
from ipc.frames import control
from ipc.frames.words import Phase
from ipc.identity.peer import PeerCredentials, peer_name
from ipc.zeromq import connection_rate
from runtime.supervisor import supervisor as module
from runtime.supervisor.gateways.port import PortTaken
from runtime.supervisor.lifecycle import Exit
from tests.support.players import beat
from tests.support.short_directory import ShortDirectory
from tests.support.supervisor_rig import SupervisorRig, ending, running
from tests.support.until import PATIENCE, until
from tests.support.zmtp import RawPeer

A, B, C = "local:a", "local:b", "local:c"


async def test_all_accounts_come_up_and_the_gateway_knows_them() -> None:
    async with running(A, B) as rig:
        await rig.is_in(Phase.RUNNING, A, B)
        gateway = rig.launcher.gateway
        await gateway.until(lambda: gateway.rows(A) and gateway.rows(A)[-1]["phase"] == "running")
        assert rig.ups == 1
        whole = gateway.reports[0]
        assert whole["whole"]
        assert [channel["id"] for channel in whole["channels"]] == ["local"]
        assert whole["agents"]["accounts"] == {A: "echo", B: "echo"}
        assert whole["agents"]["entries"]["echo"]["process"]
        status = rig.status()
        assert (status.supervisor.boot, status.supervisor.version) == (7, "1.2")
        assert (status.supervisor.rss_bytes or 0) > 0
        assert status.gateway.connected
        assert [row.account for row in status.accounts] == [A, B]
        assert [row.account for row in status.agents] == ["agent:echo"]
        boot = rig.launcher.worker(A).boot
        assert (boot.key, boot.incarnation) == (A, 101)
        assert boot.storage == str(rig.directory / "accounts" / A)


async def test_a_crashed_account_is_restarted_and_no_other_is_affected() -> None:
    async with running(A, B) as rig:
        await rig.is_in(Phase.RUNNING, A, B)
        rig.launcher.of(A)[-1].die(Exit(signal=9))
        await until(lambda: len(rig.launcher.of(A)) == 2, PATIENCE)
        await rig.is_in(Phase.RUNNING, A)
        gateway = rig.launcher.gateway
        await gateway.until(lambda: gateway.rows(A)[-1]["incarnation"] == 102)
        await gateway.until(lambda: gateway.rows(A)[-1]["phase"] == "running")
        told = [row["phase"] for row in gateway.rows(A)]
        assert told[-4:] == ["running", "backoff", "starting", "running"]
        assert len(rig.launcher.of(B)) == 1


async def test_a_worker_that_never_stays_connected_is_replaced_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_rate, "MOST", 10)
    async with running(A, B) as rig:
        await rig.is_in(Phase.RUNNING, A, B)
        boot = rig.launcher.worker(A).boot
        known = PeerCredentials(peer_name(A, boot.incarnation), boot.token)
        for _ in range(11):
            async with RawPeer(boot.control) as peer:
                await peer.prove(known)
        await until(lambda: len(rig.launcher.of(A)) == 2, PATIENCE)
        await rig.is_in(Phase.RUNNING, A)
        last = str(rig.parts.accounts[A].status().last_error)
        assert last.startswith("connected to the control link ")
        assert len(rig.launcher.of(B)) == 1


async def test_a_spawn_that_fails_is_a_failure_of_that_account_alone() -> None:
    async with running(A) as rig:
        await rig.is_in(Phase.RUNNING, A)
        rig.launcher.error = OSError(11, "no processes left")
        rig.launcher.of(A)[-1].die(Exit(signal=9))
        await until(lambda: rig.parts.accounts[A].child.state.failures >= 3, PATIENCE)
        assert "no processes left" in str(rig.status().accounts[0].last_error)
        rig.launcher.error = None
        await rig.is_in(Phase.RUNNING, A)
        assert rig.parts.gateway.connected


async def test_a_process_whose_output_cannot_be_read_does_not_live() -> None:
    async with running(A) as rig:
        await rig.is_in(Phase.RUNNING, A)
        rig.logs.error = OSError(28, "no watches left")
        rig.launcher.of(A)[-1].die(Exit(signal=9))
        await until(lambda: len(rig.launcher.of(A)) >= 3, PATIENCE)
        assert sum(child.alive for child in rig.launcher.of(A)) <= 1
        rig.logs.error = None
        await rig.is_in(Phase.RUNNING, A)
        assert sum(child.alive for child in rig.launcher.of(A)) == 1


async def test_a_storage_directory_that_cannot_be_made_is_the_accounts_failure() -> None:
    async with running(A, B) as rig:
        await rig.is_in(Phase.RUNNING, A, B)
        storage = rig.directory / "accounts" / A
        storage.rmdir()
        storage.touch()
        rig.launcher.of(A)[-1].die(Exit(signal=9))
        await until(lambda: rig.parts.accounts[A].child.state.failures >= 2, PATIENCE)
        assert rig.phase(B) is Phase.RUNNING


async def test_a_stop_does_not_wait_for_the_start_of_others() -> None:
    async with running(startConcurrency=1) as rig:
        rig.launcher.mute |= {A, B, C}
        rig.accounts = {"a": {}, "b": {}, "c": {}}
        gate = rig.parts.starts
        await gate.acquire("somebody who hangs")
        rig.reload()
        await rig.is_in(Phase.STARTING, A, B, C)
        rows = (await rig.ask("channels.stop", accounts=[B]))["results"]
        assert rows[0]["stopped"]
        assert rig.launcher.of(B) == []
        await rig.ask("channels.start", accounts=[C])
        gate.release("somebody who hangs")
        await until(lambda: rig.launcher.of(C), PATIENCE)
        assert rig.launcher.of(A) == []  # an operator's start went ahead


async def test_a_silent_worker_is_asked_and_replaced() -> None:
    own = {"beatSeconds": 0.05, "suspectAfterSeconds": 0.1, "silentAfterSeconds": 0.2}
    async with running(A, **own) as rig:
        await until(lambda: len(rig.launcher.of(A)) >= 2, PATIENCE)
        assert [type(frame) for frame in rig.launcher.of(A)[0].worker.told()] == [control.Ping]
        gateway = rig.launcher.gateway
        await gateway.until(
            lambda: any(row["health"] == "degraded: silent" for row in gateway.rows(A))
        )


async def test_a_plugin_that_talks_without_end_is_told_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(A) as rig:
        await rig.is_in(Phase.RUNNING, A)
        worker, gateway = rig.launcher.worker(A), rig.launcher.gateway
        for number in range(500):
            worker.say(control.StatusPatch({"detail": str(number)}))
        worker.say(beat())
        await gateway.until(lambda: gateway.rows(A)[-1]["plugin"].get("detail") == "499")
        assert len(gateway.rows(A)) < 20


async def test_figures_are_reported_but_are_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIGURES", 0.1)
    monkeypatch.setattr(module, "WATCH", 0.05)
    async with running(A) as rig:
        await rig.is_in(Phase.RUNNING, A)
        gateway = rig.launcher.gateway
        rig.launcher.worker(A).say(beat(messages_in=5))
        await gateway.until(lambda: any(A in r.get("figures", {}) for r in gateway.reports))
        assert gateway.rows(A)[-1]["messagesIn"] == 0


async def test_an_odd_error_while_watching_is_logged_and_the_watch_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WATCH", 0.01)
    async with running(A) as rig:
        await rig.is_in(Phase.RUNNING, A)
        check = rig.parts.accounts[A].check
        with structlog.testing.capture_logs() as logs:
            rig.parts.accounts[A].check = None  # type: ignore[assignment, method-assign]
            await until(lambda: logs)
            rig.parts.accounts[A].check = check  # type: ignore[method-assign]
        assert logs[0]["event"] == "watching failed"
        (rig.places.run_dir / "cli.sock").unlink()
        await until((rig.places.run_dir / "cli.sock").exists, PATIENCE)
        await (await rig.client()).close()


async def test_requests_of_the_gateway_are_carried_out() -> None:
    async with running(A) as rig:
        await rig.is_in(Phase.RUNNING, A)
        gateway = rig.launcher.gateway
        await gateway.ask(1, "channels.stop", {"accounts": [A], "reason": "night"})
        answer = await gateway.told(1)
        assert answer["payload"]["results"][0]["stopped"]
        assert json.loads((rig.directory / "holds.json").read_text())[A]["reason"] == "night"
        await gateway.until(lambda: gateway.rows(A)[-1]["cause"] == "held")


async def test_a_killed_gateway_comes_back_and_no_worker_is_touched() -> None:
    async with running(A) as rig:
        await rig.is_in(Phase.RUNNING, A)
        rig.launcher.of("gateway")[-1].die(Exit(signal=9))
        await until(lambda: len(rig.launcher.of("gateway")) == 2, PATIENCE)
        await until(lambda: rig.parts.gateway.connected, PATIENCE)
        assert rig.launcher.gateway.reports[0]["accounts"][A]["phase"] == "running"
        assert len(rig.launcher.of(A)) == 1
        assert rig.ups == 1


async def test_the_command_line_hears_of_changes() -> None:
    async with running(A) as rig:
        await rig.is_in(Phase.RUNNING, A)
        client = await rig.client()
        await client.call("channels.stop", {"accounts": [A]})
        await client.call("gateway.stop", {})
        names = set()
        async for event in client.events():
            names.add(event.event)
            if {"channel.status", "gateway.status"} <= names:
                break
        await client.close()


async def ends(rig: SupervisorRig, *, within: float) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    rig.parts.shutdown.request("SIGTERM")
    await until(lambda: not any(child.alive for child in rig.launcher.children), PATIENCE)
    assert loop.time() - began < within


async def test_the_accounts_end_before_the_gateway() -> None:
    async with ending(A, B) as (rig, task):
        gateway = rig.launcher.of("gateway")[-1]
        rig.launcher.of(A)[-1].deaf = True
        rig.parts.shutdown.request("SIGTERM")
        await until(lambda: not rig.launcher.of(B)[-1].alive, PATIENCE)
        assert gateway.alive
        assert await task == 0
        assert rig.launcher.of(A)[-1].signals == ["terminate", "kill"]
        assert gateway.signals == ["terminate"]


async def test_a_second_request_ends_everything_at_once() -> None:
    async with ending(A) as (rig, task):
        rig.launcher.of(A)[-1].deaf = True
        rig.launcher.of("gateway")[-1].deaf = True
        began = asyncio.get_running_loop().time()
        rig.parts.shutdown.request("SIGINT")
        rig.parts.shutdown.request("SIGINT")
        assert await task == 0
        assert asyncio.get_running_loop().time() - began < 1.0
        assert rig.launcher.of(A)[-1].signals[-1] == "kill"


async def test_the_end_comes_in_time_whatever_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP_ACCOUNTS", 0.1)
    monkeypatch.setattr(module, "STOP_ALL", 0.2)
    async with ending(A) as (rig, task):
        rig.launcher.of(A)[-1].deaf = True
        rig.launcher.of("gateway")[-1].deaf = True
        rig.parts.shutdown.request("SIGTERM")
        assert await task == 0
        assert rig.launcher.of(A)[-1].signals[-1] == "kill"
        assert rig.launcher.of("gateway")[-1].signals[-1] == "kill"


async def test_the_end_while_the_gateway_waits_for_its_next_try() -> None:
    async with ending(A) as (rig, task):
        rig.launcher.error = OSError("no")
        rig.launcher.of("gateway")[-1].die(Exit(signal=9))
        child = rig.parts.gateway.child
        await until(lambda: child.state.phase is Phase.BACKOFF, PATIENCE)
        rig.parts.shutdown.request("SIGTERM")
        assert await task == 0


async def test_a_closed_output_at_the_start_does_not_end_the_supervisor() -> None:
    with ShortDirectory() as directory:
        rig = SupervisorRig(directory, {"a": {}}, {})

        def broken() -> None:
            raise BrokenPipeError(32, "Broken pipe")

        rig.on_up = broken
        task = asyncio.create_task(rig.supervisor.run(rig.up))
        await until(lambda: rig.ups, PATIENCE)
        await rig.is_in(Phase.RUNNING, A)
        rig.parts.shutdown.request("SIGTERM")
        assert await task == 0


async def test_a_taken_port_leaves_nothing_behind() -> None:
    stranger = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with stranger:
        with ShortDirectory() as directory:
            rig = SupervisorRig(directory, {}, {})
            rig.port = stranger.sockets[0].getsockname()[1]
            with pytest.raises(PortTaken):
                await rig.make().run(rig.up)
            assert list(rig.places.run_dir.iterdir()) == []


@pytest.mark.parametrize("name", ["cli.sock", "control.ipc"])
async def test_a_socket_that_cannot_be_made_leaves_nothing_behind(name: str) -> None:
    with ShortDirectory() as directory:
        rig = SupervisorRig(directory, {}, {})
        (rig.places.run_dir / name).mkdir(parents=True)
        with pytest.raises((OSError, EndpointError)):
            await rig.supervisor.run(rig.up)
        assert [path.name for path in rig.places.run_dir.iterdir()] == [name]
