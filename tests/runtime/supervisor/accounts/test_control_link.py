from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from ipc.frames import control
from ipc.frames.bootstrap import WorkerBoot
from ipc.frames.words import Phase
from ipc.identity.peer import PeerProof, peer_name
from ipc.zeromq.link import Dealer
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.control_link import ControlLink, DrainedProcess
from runtime.supervisor.lifecycle import Exit, Start, Stop
from tests.support.accounts import Stage, account_of, phase
from tests.support.players import PlayedWorker, beat, short_directory
from tests.support.until import until

SECRET = b"s" * 32
KEY = "local:demo"


class Table:
    """A supervisor's side with one account in STARTING, and a place for its worker."""

    def __init__(self, directory: Path, account: Account, stage: Stage) -> None:
        self.address = f"ipc://{directory / 'control.ipc'}"
        self.account = account
        self.stage = stage
        self.hellos: list[str] = []
        self.changes: list[str] = []
        self.figures: list[str] = []
        self.link = ControlLink(
            self.address,
            SECRET,
            find={KEY: account}.get,
            on_hello=lambda account: self.hellos.append(account.key),
            on_change=lambda account: self.changes.append(account.key),
            on_figures=lambda account: self.figures.append(account.key),
        )
        self.closing: list[Any] = [self.link]

    def boot(self, incarnation: int = 101, **fields: Any) -> WorkerBoot:
        given: dict[str, Any] = {
            "key": KEY,
            "incarnation": incarnation,
            "token": PeerProof(SECRET).token(KEY, incarnation),
            "control": self.address,
            "data": "",
            "manifest": "",
            "config": {},
            "storage": "",
            "run_dir": "",
        }
        return WorkerBoot(**(given | fields))

    def worker(self, incarnation: int = 101, *, ready: bool = False, **fields: Any) -> PlayedWorker:
        worker = PlayedWorker(self.boot(incarnation, **fields), ready=ready)
        self.closing.append(worker)
        return worker

    def dealer(self, identity: str) -> Dealer:
        dealer = Dealer(self.address, identity, lambda body: None)
        self.closing.append(dealer)
        return dealer


@asynccontextmanager
async def table(first: int = 100) -> AsyncIterator[Table]:
    stage = Stage()
    account = account_of(stage, first_incarnation=first)
    with short_directory() as directory:
        found = Table(directory, account, stage)
        task = asyncio.create_task(account.child.run())
        try:
            account.child.post(Start())
            await until(lambda: account.child.process is not None)
            yield found
        finally:
            task.cancel()
            await asyncio.wait([task])
            for each in found.closing:
                each.close()


async def test_a_worker_that_proves_itself_becomes_ready() -> None:
    async with table() as at:
        at.worker(ready=True)
        await phase(at.account, Phase.RUNNING)
        assert at.hellos == [KEY]
        assert at.account.heartbeat.met
        assert at.account.heartbeat.pulse.heard > 0
        assert (at.link.stale, at.link.refused) == (0, 0)


async def test_beats_are_figures_and_no_change() -> None:
    async with table() as at:
        worker = at.worker(ready=True)
        await phase(at.account, Phase.RUNNING)
        at.changes.clear()
        worker.say(beat(messages_in=7))
        await until(lambda: at.figures)
        assert at.account.status().messages_in == 7
        assert at.changes == []


async def test_what_a_plugin_says_of_itself_is_a_change_once() -> None:
    async with table() as at:
        worker = at.worker()
        worker.say(control.StatusPatch({"detail": "in 3 rooms"}))
        worker.say(control.StatusPatch({"detail": "in 3 rooms"}))
        worker.say(beat())
        await until(lambda: at.figures)
        assert at.changes == [KEY]
        assert at.account.status().plugin["detail"] == "in 3 rooms"


async def test_any_frame_relieves_a_suspect_and_that_is_a_change() -> None:
    async with table() as at:
        worker = at.worker(ready=True)
        await phase(at.account, Phase.RUNNING)
        at.account.check(at.account.heartbeat.pulse.heard + 16)
        at.link.ask(at.account)
        await until(lambda: [body for body in worker.heard if body])
        (ping,) = control.decode_from_supervisor(worker.heard[-1])
        assert isinstance(ping, control.Ping)
        at.changes.clear()
        worker.say(control.Pong(ping.id))
        await until(lambda: at.changes)
        assert at.account.heartbeat.pulse.asked is None


async def test_a_worker_is_told_once_to_beat_at_another_pace() -> None:
    async with table() as at:
        at.link.pace(at.account, 2.0)  # it has not said hello: its boot tells it
        at.account.heartbeat.pace = 5.0
        worker = at.worker(ready=True)
        await phase(at.account, Phase.RUNNING)
        for beat_seconds in (5.0, 2.0, 2.0):
            at.link.pace(at.account, beat_seconds)
        at.link.ask(at.account)
        await until(lambda: len([body for body in worker.heard if body]) == 2)
        told = [control.decode_from_supervisor(body)[0] for body in worker.heard if body]
        assert told == [control.Pace(2.0), control.Ping(1)]


async def test_a_pace_that_cannot_be_told_is_told_later() -> None:
    async with table() as at:
        worker = at.worker(ready=True)
        await phase(at.account, Phase.RUNNING)
        worker.close()
        await until(lambda: _gone(at))
        assert at.account.heartbeat.pace == 0.0


def _gone(at: Table) -> bool:
    """Say whether the router has noticed that the worker is not there."""
    at.account.heartbeat.pace = 0.0
    at.link.pace(at.account, 2.0)
    return at.account.heartbeat.pace == 0.0


async def test_a_suspect_is_relieved_by_old_news_too() -> None:
    async with table() as at:
        worker = at.worker(ready=True)
        worker.say(control.StatusPatch({"detail": "as ever"}))
        await until(lambda: at.changes)
        await phase(at.account, Phase.RUNNING)
        at.account.check(at.account.heartbeat.pulse.heard + 16)
        at.changes.clear()
        worker.say(control.StatusPatch({"detail": "as ever"}))
        await until(lambda: at.changes)


async def test_asking_one_that_is_gone_is_no_error() -> None:
    async with table() as at:
        at.link.ask(at.account)


@pytest.mark.parametrize(
    ("identity", "boot"),
    [
        (None, {"token": "wrong"}),
        (None, {"token": "schlüssel"}),  # compare_digest takes no such string
        (None, {"key": "local:stranger", "token": PeerProof(SECRET).token("local:stranger", 101)}),
        ("local:demo#99", {}),
    ],
    ids=["wrong token", "odd token", "unknown account", "the name of another"],
)
async def test_a_stranger_is_refused(identity: str | None, boot: dict[str, Any]) -> None:
    async with table() as at:
        hello = at.boot(**boot)
        dealer = at.dealer(identity or peer_name(hello.key, hello.incarnation))
        with structlog.testing.capture_logs() as logs:
            frame = control.ControlHello(hello.key, hello.incarnation, hello.token, 1)
            dealer.send(control.encode([frame, control.WorkerReady()]))
            await until(lambda: at.link.refused)
        assert [line["event"] for line in logs] == ["worker refused"]
        assert at.hellos == []
        assert at.account.phase is Phase.STARTING
        assert at.link.stale == 1  # the readiness of nobody


async def test_an_earlier_incarnation_is_late_not_wrong() -> None:
    async with table() as at:
        at.worker(100, ready=True)
        await until(lambda: at.link.stale == 2)
        assert at.link.refused == 0
        assert at.account.phase is Phase.STARTING


async def test_frames_of_an_incarnation_that_ended_are_dropped() -> None:
    async with table() as at:
        worker = at.worker(ready=True)
        await phase(at.account, Phase.RUNNING)
        at.stage.last.die(Exit(code=1))
        await phase(at.account, Phase.BACKOFF)
        worker.say(beat(), control.StatusPatch({"detail": "late"}))
        await until(lambda: at.link.stale == 2)
        assert "detail" not in at.account.status().plugin


async def test_a_new_incarnation_takes_the_place_of_the_old_proof() -> None:
    async with table() as at:
        at.worker(ready=True)
        await phase(at.account, Phase.RUNNING)
        for incarnation in (102, 103):
            at.stage.last.die(Exit(code=1))
            await phase(at.account, Phase.BACKOFF)
            at.account.child.post(Start())
            await phase(at.account, Phase.STARTING)
            at.worker(incarnation, ready=True)
            await phase(at.account, Phase.RUNNING)
        assert len(at.link._proved) == 1


async def test_the_proof_of_one_incarnation_is_none_for_the_next() -> None:
    async with table() as at:
        at.worker(ready=True)
        await phase(at.account, Phase.RUNNING)
        at.stage.last.die(Exit(code=1))
        await phase(at.account, Phase.BACKOFF)
        at.account.child.post(Start())
        await phase(at.account, Phase.STARTING)
        at.worker(102, ready=True, token="wrong")
        await until(lambda: at.link.refused and at.link.stale)
        assert at.account.phase is Phase.STARTING


async def test_a_removed_account_is_forgotten() -> None:
    async with table() as at:
        worker = at.worker(ready=True)
        await phase(at.account, Phase.RUNNING)
        at.link.forget(KEY)
        at.link.forget("local:never")
        worker.say(beat())
        await until(lambda: at.link.stale == 1)
        assert at.figures == []


async def test_a_malformed_frame_is_counted_and_named() -> None:
    async with table() as at:
        dealer = at.dealer("local:demo#101")
        with structlog.testing.capture_logs() as logs:
            dealer.send(b"\xc1nonsense")
            await until(lambda: at.link.refused)
        assert logs[0]["event"] == "control frame refused"
        assert "malformed control frame" in logs[0]["why"]
        at.worker(ready=False).close()


async def test_a_fault_of_who_is_told_spoils_only_that_frame() -> None:
    async with table() as at:
        worker = at.worker(ready=True)
        await phase(at.account, Phase.RUNNING)

        def broken(account: Account) -> None:
            raise RuntimeError("no room")

        at.link._on_figures = broken
        with structlog.testing.capture_logs() as logs:
            worker.say(beat())
            await until(lambda: logs)
        assert logs[0]["event"] == "control frame failed"
        worker.say(control.StatusPatch({"detail": "still there"}))
        await until(lambda: at.account.heartbeat.plugin.get("detail"))


async def test_the_last_frames_of_a_worker_are_read_before_its_end_is_told() -> None:
    async with table() as at:
        worker = at.worker(ready=True)
        await phase(at.account, Phase.RUNNING)
        asyncio.get_running_loop().remove_reader(at.link._router._fd)  # it is not read by chance
        process = DrainedProcess(at.stage.last, at.link)
        assert process.pid == at.stage.last.pid
        worker.say(beat(messages_in=3))
        await asyncio.sleep(0.1)  # the frame travels in threads of ZeroMQ
        process.kill()
        process.terminate()
        assert await process.wait() == Exit(signal=9)
        assert at.account.status().messages_in == 3
        at.account.child.post(Stop())
