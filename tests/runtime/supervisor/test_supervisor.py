from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from ipc.errors import EndpointError, RemoteError
from ipc.frames import control
from ipc.frames.words import Phase
from ipc.websocket.client import Client
from runtime.config.load import Loaded, load_text
from runtime.config.places import Places
from runtime.supervisor import supervisor as module
from runtime.supervisor.gateways.port import PortTaken
from runtime.supervisor.lifecycle import Exit
from runtime.supervisor.supervisor import Setting, Supervisor
from tests.support.players import PlayedLauncher, PlayedLogs, beat, short_directory
from tests.support.until import eventfds, until

A, B, C = "local:a", "local:b", "local:c"
PATIENCE = 20.0
QUICK = {"initialSeconds": 0.05, "maximumSeconds": 1.0, "stopWithinSeconds": 1.0, "jitter": 0}


class House:
    """A supervisor whose children are played, with its files in a place of its own."""

    def __init__(self, directory: Path, accounts: dict[str, Any], own: dict[str, Any]) -> None:
        self.directory = directory
        self.accounts = accounts
        self.own = own
        self.launcher: Any = PlayedLauncher()
        self.logs: Any = PlayedLogs()
        self.ups = 0
        self.on_up: Callable[[], None] = lambda: None
        self.config_error: Exception | None = None
        run_dir = directory / "run"
        self.places = Places(directory, directory / "c.json5", run_dir, directory / "logs", None)
        self.port = 0
        self.read = 0  # how often the configuration was
        self.supervisor = self._make()

    def load(self, text: str | None = None) -> Loaded:
        self.read += 1
        if self.config_error is not None:
            raise self.config_error
        config = {
            "gateway": {"auth": {"token": "t"}, "reload": {"mode": "hot"}},
            "channels": {"local": {"accounts": self.accounts}},
            "supervisor": {"restart": QUICK, **self.own},
        }
        return load_text(self.places.config_path, text or json.dumps(config))

    def _make(self, *, force: bool = False) -> Supervisor:
        setting = Setting("1.2", "127.0.0.1", self.port, self.load, force=force)
        instance: Any = SimpleNamespace(first_incarnation=100, boot=7, run_id="r")
        return Supervisor(
            self.load(),
            self.places,
            setting,
            instance=instance,
            launcher=self.launcher,
            logs=self.logs,
        )

    def up(self) -> None:
        self.ups += 1
        self.on_up()

    def phase(self, key: str) -> Phase:
        return self.supervisor.accounts[key].phase

    async def is_in(self, phase: Phase, *keys: str) -> None:
        await until(lambda: {self.phase(key) for key in keys} == {phase}, PATIENCE)

    async def client(self) -> Client:
        return await Client.connect(unix=self.places.run_dir / "cli.sock")

    async def ask(self, name: str, **params: Any) -> Any:
        return await self.supervisor.dispatch(name, params)


@asynccontextmanager
async def house(*keys: str, **own: Any) -> AsyncIterator[House]:
    """A house in which the gateway is up; it ends as by Ctrl-C."""
    before = eventfds()
    with short_directory() as directory:
        found = House(directory, {key.partition(":")[2]: {} for key in keys}, own)
        task = asyncio.create_task(found.supervisor.run(found.up))
        try:
            await until(lambda: task.done() or found.ups, PATIENCE)
            yield found
            assert not task.done(), task
        finally:
            found.supervisor.request_stop("the test is over")
            found.supervisor.request_stop("at once")
            assert await task == 0
            await until(lambda: eventfds() <= before)
        assert not any(child.alive for child in found.launcher.children)
        assert list(found.places.run_dir.iterdir()) == []


async def test_all_accounts_come_up_and_the_gateway_knows_them() -> None:
    async with house(A, B) as at:
        await at.is_in(Phase.RUNNING, A, B)
        gateway = at.launcher.gateway
        await gateway.until(lambda: gateway.rows(A) and gateway.rows(A)[-1]["phase"] == "running")
        assert at.ups == 1
        whole = gateway.reports[0]
        assert whole["whole"]
        assert [channel["id"] for channel in whole["channels"]] == ["local"]
        assert whole["agents"]["accounts"] == {A: "echo", B: "echo"}
        status = at.supervisor.status()
        assert (status.supervisor.boot, status.supervisor.version) == (7, "1.2")
        assert (status.supervisor.rss_bytes or 0) > 0
        assert status.gateway.connected
        assert [row.account for row in status.accounts] == [A, B]
        boot = at.launcher.worker(A).boot
        assert (boot.key, boot.incarnation) == (A, 101)
        assert boot.storage == str(at.directory / "accounts" / A)


async def test_one_that_dies_comes_back_and_nobody_else_notices() -> None:
    async with house(A, B) as at:
        await at.is_in(Phase.RUNNING, A, B)
        at.launcher.of(A)[-1].die(Exit(signal=9))
        await until(lambda: len(at.launcher.of(A)) == 2, PATIENCE)
        await at.is_in(Phase.RUNNING, A)
        gateway = at.launcher.gateway
        await gateway.until(lambda: gateway.rows(A)[-1]["incarnation"] == 102)
        await gateway.until(lambda: gateway.rows(A)[-1]["phase"] == "running")
        told = [row["phase"] for row in gateway.rows(A)]
        assert told[-4:] == ["running", "backoff", "starting", "running"]
        assert len(at.launcher.of(B)) == 1


async def test_a_spawn_that_fails_is_a_failure_of_that_account_alone() -> None:
    async with house(A) as at:
        await at.is_in(Phase.RUNNING, A)
        at.launcher.error = OSError(11, "no processes left")
        at.launcher.of(A)[-1].die(Exit(signal=9))
        await until(lambda: at.supervisor.accounts[A].child.state.failures >= 3, PATIENCE)
        assert "no processes left" in str(at.supervisor.status().accounts[0].last_error)
        at.launcher.error = None
        await at.is_in(Phase.RUNNING, A)
        assert at.supervisor.front.connected


async def test_a_process_whose_output_cannot_be_read_does_not_live() -> None:
    async with house(A) as at:
        await at.is_in(Phase.RUNNING, A)
        at.logs.error = OSError(28, "no watches left")
        at.launcher.of(A)[-1].die(Exit(signal=9))
        await until(lambda: len(at.launcher.of(A)) >= 3, PATIENCE)
        assert sum(child.alive for child in at.launcher.of(A)) <= 1
        at.logs.error = None
        await at.is_in(Phase.RUNNING, A)
        assert sum(child.alive for child in at.launcher.of(A)) == 1


async def test_a_storage_directory_that_cannot_be_made_is_the_accounts_failure() -> None:
    async with house(A, B) as at:
        await at.is_in(Phase.RUNNING, A, B)
        storage = at.directory / "accounts" / A
        storage.rmdir()
        storage.touch()
        at.launcher.of(A)[-1].die(Exit(signal=9))
        await until(lambda: at.supervisor.accounts[A].child.state.failures >= 2, PATIENCE)
        assert at.phase(B) is Phase.RUNNING


async def test_a_stop_does_not_wait_for_the_start_of_others() -> None:
    async with house(startConcurrency=1) as at:
        at.launcher.mute |= {A, B, C}
        at.accounts = {"a": {}, "b": {}, "c": {}}
        gate = at.supervisor._gate
        await gate.enter("somebody who hangs")
        at.supervisor.reload()
        await at.is_in(Phase.STARTING, A, B, C)
        rows = (await at.ask("channels.stop", accounts=[B]))["results"]
        assert rows[0]["stopped"]
        assert at.launcher.of(B) == []
        await at.ask("channels.start", accounts=[C])
        gate.leave("somebody who hangs")
        await until(lambda: at.launcher.of(C), PATIENCE)
        assert at.launcher.of(A) == []  # an operator's start went ahead


async def test_a_silent_worker_is_asked_and_replaced() -> None:
    own = {"beatSeconds": 0.05, "suspectAfterSeconds": 0.1, "silentAfterSeconds": 0.2}
    async with house(A, **own) as at:
        await until(lambda: len(at.launcher.of(A)) >= 2, PATIENCE)
        first = at.launcher.of(A)[0].worker
        (ping,) = [body for body in first.heard if body]
        assert isinstance(control.decode_from_supervisor(ping)[0], control.Ping)
        gateway = at.launcher.gateway
        await gateway.until(
            lambda: any(row["health"] == "degraded: silent" for row in gateway.rows(A))
        )


async def test_a_plugin_that_talks_without_end_is_told_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with house(A) as at:
        await at.is_in(Phase.RUNNING, A)
        worker, gateway = at.launcher.worker(A), at.launcher.gateway
        for number in range(500):
            worker.say(control.StatusPatch({"detail": str(number)}))
        worker.say(beat())
        await gateway.until(lambda: gateway.rows(A)[-1]["plugin"].get("detail") == "499")
        assert len(gateway.rows(A)) < 20


async def test_figures_are_reported_but_are_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIGURES", 0.1)
    monkeypatch.setattr(module, "WATCH", 0.05)
    async with house(A) as at:
        await at.is_in(Phase.RUNNING, A)
        gateway = at.launcher.gateway
        at.launcher.worker(A).say(beat(messages_in=5))
        await gateway.until(lambda: any(A in r.get("figures", {}) for r in gateway.reports))
        assert gateway.rows(A)[-1]["messagesIn"] == 0


async def test_odd_trouble_while_watching_is_logged_and_the_watch_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WATCH", 0.01)
    async with house(A) as at:
        await at.is_in(Phase.RUNNING, A)
        judge = at.supervisor.accounts[A].check
        with structlog.testing.capture_logs() as logs:
            at.supervisor.accounts[A].check = None  # type: ignore[assignment, method-assign]
            await until(lambda: logs)
            at.supervisor.accounts[A].check = judge  # type: ignore[method-assign]
        assert logs[0]["event"] == "watching failed"
        (at.places.run_dir / "cli.sock").unlink()
        await until((at.places.run_dir / "cli.sock").exists, PATIENCE)
        await (await at.client()).close()


# -- the gateway's end, and requests through it


async def test_requests_of_the_gateway_are_carried_out() -> None:
    async with house(A) as at:
        await at.is_in(Phase.RUNNING, A)
        gateway = at.launcher.gateway
        await gateway.ask(1, "channels.stop", {"accounts": [A], "reason": "night"})
        answer = await gateway.told(1)
        assert answer["payload"]["results"][0]["stopped"]
        assert json.loads((at.directory / "holds.json").read_text())[A]["reason"] == "night"
        await gateway.until(lambda: gateway.rows(A)[-1]["cause"] == "held")


async def test_a_killed_gateway_comes_back_and_no_worker_is_touched() -> None:
    async with house(A) as at:
        await at.is_in(Phase.RUNNING, A)
        at.launcher.of("gateway")[-1].die(Exit(signal=9))
        await until(lambda: len(at.launcher.of("gateway")) == 2, PATIENCE)
        await until(lambda: at.supervisor.front.connected, PATIENCE)
        assert at.launcher.gateway.reports[0]["accounts"][A]["phase"] == "running"
        assert len(at.launcher.of(A)) == 1
        assert at.ups == 1


async def test_the_command_line_hears_of_changes() -> None:
    async with house(A) as at:
        await at.is_in(Phase.RUNNING, A)
        client = await at.client()
        await client.call("channels.stop", {"accounts": [A]})
        await client.call("gateway.stop", {})
        names = set()
        async for event in client.events():
            names.add(event.event)
            if {"channel.status", "gateway.status"} <= names:
                break
        await client.close()


# -- reload


async def test_a_reload_adds_removes_and_keeps() -> None:
    async with house(A, B) as at:
        await at.is_in(Phase.RUNNING, A, B)
        client = await at.client()
        at.accounts = {"b": {}, "c": {}}
        done = at.supervisor.reload()
        assert (done["added"], done["removed"], done["changed"]) == ([C], [A], [])
        await at.is_in(Phase.RUNNING, B, C)
        await until(lambda: A not in at.supervisor.accounts, PATIENCE)
        assert len(at.launcher.of(B)) == 1
        gateway = at.launcher.gateway
        await gateway.until(lambda: any(report.get("removed") == [A] for report in gateway.reports))
        async for event in client.events():
            if event.event == "channel.removed":
                break
        await client.close()


async def test_other_thresholds_restart_nobody_and_count_at_once() -> None:
    async with house(A, B) as at:
        await at.is_in(Phase.RUNNING, A, B)
        worker = at.launcher.of(A)[0].worker
        at.own = {"beatSeconds": 0.05, "suspectAfterSeconds": 0.1, "silentAfterSeconds": 600.0}
        done = at.supervisor.reload()
        assert (done["changed"], done["warnings"]) == ([A, B], [])
        await until(lambda: len([body for body in worker.heard if body]) >= 2, PATIENCE)
        told = [control.decode_from_supervisor(body)[0] for body in worker.heard if body]
        assert told[0] == control.Pace(0.05)
        assert isinstance(told[1], control.Ping)
        assert at.supervisor.accounts[A].status().health == "degraded: silent"
        assert len(at.launcher.of(A)) == len(at.launcher.of(B)) == 1


async def test_accounts_that_a_change_for_all_of_them_touches_are_named() -> None:
    async with house(A, B) as at:
        await at.is_in(Phase.RUNNING, A, B)
        at.accounts = {"a": {}, "b": {"healthMonitor": {"enabled": False}}}
        assert at.supervisor.reload()["changed"] == [B]
        at.own = {"limits": {"niceness": 1}}
        assert at.supervisor.reload()["changed"] == [A, B]
        at.own = {"limits": {"niceness": 1}, "startConcurrency": 3}
        assert at.supervisor.reload()["changed"] == []
        assert len(at.launcher.of(A)) == len(at.launcher.of(B)) == 1


async def test_a_configuration_that_cannot_be_read_changes_nothing() -> None:
    async with house(A) as at:
        await at.is_in(Phase.RUNNING, A)
        at.config_error = OSError(5, "Input/output error")
        with pytest.raises(RemoteError, match="Input/output error"):
            at.supervisor.reload()
        assert "not taken over" in at.supervisor.status().supervisor.warnings[0]
        at.config_error = None
        at.supervisor.reload()
        assert len(at.launcher.of(A)) == 1
        assert at.supervisor.status().supervisor.warnings == []


async def test_s052_the_file_is_read_when_somebody_asks_or_it_has_changed_and_never_else() -> None:
    async with house(A) as at:
        await at.is_in(Phase.RUNNING, A)
        at.read = 0
        for _ in range(3):
            await at.ask("gateway.restart")
            await at.ask("channels.restart", accounts=[A])
            at.supervisor.status()
            at.supervisor.reconfiguration.apply(asked=True, changed=True)
        assert at.read == 0
        at.supervisor.reload()
        assert at.read == 1
        at.supervisor.reload(at.supervisor.loaded)  # whoever writes it has read it already
        assert at.read == 1


async def test_a_reload_while_accounts_start_loses_none() -> None:
    async with house(A, startConcurrency=1) as at:
        for number in range(20):
            at.accounts = {"a": {}, f"n{number % 3}": {}}
            at.supervisor.reload()
            await asyncio.sleep(0)
        last = f"local:n{19 % 3}"
        await until(lambda: set(at.supervisor.accounts) == {A, last}, PATIENCE)
        await at.is_in(Phase.RUNNING, A, last)
        for key in {child.key for child in at.launcher.children} - {"gateway"}:
            numbers = [child.incarnation for child in at.launcher.of(key)]
            assert numbers == sorted(set(numbers))
            assert sum(child.alive for child in at.launcher.of(key)) == (key in (A, last))


# -- the end


async def ends(at: House, *, within: float) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    at.supervisor.request_stop("SIGTERM")
    await until(lambda: not any(child.alive for child in at.launcher.children), PATIENCE)
    assert loop.time() - began < within


async def test_the_end_takes_no_reload_and_no_start() -> None:
    async with house(A) as at:
        await at.is_in(Phase.RUNNING, A)
        at.launcher.of(A)[-1].deaf = True
        at.supervisor.request_stop("SIGTERM")
        with pytest.raises(RemoteError, match="the supervisor is stopping"):
            at.supervisor.reload()
        rows = (await at.ask("channels.start", accounts=[A]))["results"]
        assert rows[0]["reason"] == "shutdown"
        with pytest.raises(RemoteError, match="the supervisor is stopping"):
            await at.ask("gateway.restart")


@asynccontextmanager
async def unguarded(*keys: str, **own: Any) -> AsyncIterator[tuple[House, asyncio.Task[int]]]:
    before = eventfds()
    with short_directory() as directory:
        at = House(directory, {key.partition(":")[2]: {} for key in keys}, own)
        task = asyncio.create_task(at.supervisor.run(at.up))
        await until(lambda: task.done() or at.ups, PATIENCE)
        await at.is_in(Phase.RUNNING, *keys)
        yield at, task
        await asyncio.wait([task], timeout=PATIENCE)
        assert task.done()
        await until(lambda: eventfds() <= before)


async def test_the_accounts_end_before_the_gateway() -> None:
    async with unguarded(A, B) as (at, task):
        gateway = at.launcher.of("gateway")[-1]
        at.launcher.of(A)[-1].deaf = True
        at.supervisor.request_stop("SIGTERM")
        await until(lambda: not at.launcher.of(B)[-1].alive, PATIENCE)
        assert gateway.alive
        assert await task == 0
        assert at.launcher.of(A)[-1].signals == ["terminate", "kill"]
        assert gateway.signals == ["terminate"]


async def test_a_second_request_ends_everything_at_once() -> None:
    async with unguarded(A) as (at, task):
        at.launcher.of(A)[-1].deaf = True
        at.launcher.of("gateway")[-1].deaf = True
        began = asyncio.get_running_loop().time()
        at.supervisor.request_stop("SIGINT")
        at.supervisor.request_stop("SIGINT")
        assert await task == 0
        assert asyncio.get_running_loop().time() - began < 1.0
        assert at.launcher.of(A)[-1].signals[-1] == "kill"


async def test_the_end_comes_in_time_whatever_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP_ACCOUNTS", 0.1)
    monkeypatch.setattr(module, "STOP_ALL", 0.2)
    async with unguarded(A) as (at, task):
        at.launcher.of(A)[-1].deaf = True
        at.launcher.of("gateway")[-1].deaf = True
        at.supervisor.request_stop("SIGTERM")
        assert await task == 0
        assert at.launcher.of(A)[-1].signals[-1] == "kill"
        assert at.launcher.of("gateway")[-1].signals[-1] == "kill"


async def test_the_end_while_the_gateway_waits_for_its_next_try() -> None:
    async with unguarded(A) as (at, task):
        at.launcher.error = OSError("no")
        at.launcher.of("gateway")[-1].die(Exit(signal=9))
        child = at.supervisor.front.child
        await until(lambda: child.state.phase is Phase.BACKOFF, PATIENCE)
        at.supervisor.request_stop("SIGTERM")
        assert await task == 0


async def test_nobody_to_tell_that_it_is_up_is_no_reason_to_end() -> None:
    before = eventfds()
    with short_directory() as directory:
        at = House(directory, {"a": {}}, {})

        def broken() -> None:
            raise BrokenPipeError(32, "Broken pipe")

        at.on_up = broken
        task = asyncio.create_task(at.supervisor.run(at.up))
        await until(lambda: at.ups, PATIENCE)
        await at.is_in(Phase.RUNNING, A)
        at.supervisor.request_stop("SIGTERM")
        assert await task == 0
        await until(lambda: eventfds() <= before)


# -- starts that cannot be


async def test_a_taken_port_leaves_nothing_behind() -> None:
    stranger = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with stranger:
        with short_directory() as directory:
            at = House(directory, {}, {})
            at.port = stranger.sockets[0].getsockname()[1]
            with pytest.raises(PortTaken):
                await at._make().run(at.up)
            assert list(at.places.run_dir.iterdir()) == []


@pytest.mark.parametrize("name", ["cli.sock", "control.ipc"])
async def test_a_socket_that_cannot_be_made_leaves_nothing_behind(name: str) -> None:
    with short_directory() as directory:
        at = House(directory, {}, {})
        (at.places.run_dir / name).mkdir(parents=True)
        with pytest.raises((OSError, EndpointError)):
            await at.supervisor.run(at.up)
        assert [path.name for path in at.places.run_dir.iterdir()] == [name]
