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
from ipc.identity.peer import PeerCredentials, PeerProof, parse_peer, peer_name
from ipc.zeromq import connection_rate
from ipc.zeromq.dealer import Dealer
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.control_link import ControlLink
from runtime.supervisor.lifecycle import Exit, Start, Stop
from tests.support.accounts import Stage, account_of, phase
from tests.support.players import PlayedWorker, beat
from tests.support.short_directory import ShortDirectory
from tests.support.until import until
from tests.support.zmtp import RawPeer

SECRET = b"s" * 32
PROOF = PeerProof(SECRET)
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
        self.link.open()
        self.closing: list[Any] = [self.link]

    def boot(self, incarnation: int = 101, **fields: Any) -> WorkerBoot:
        given: dict[str, Any] = {
            "key": KEY,
            "incarnation": incarnation,
            "token": PROOF.token(KEY, incarnation),
            "control": self.address,
            "data": "",
            "manifest": "",
            "config": {},
            "storage": "",
            "run_dir": "",
        }
        return WorkerBoot(**(given | fields))

    def worker(
        self, incarnation: int = 101, *, ready: bool = False, hello: str | None = None
    ) -> PlayedWorker:
        worker = PlayedWorker(self.boot(incarnation), ready=ready, hello=hello)
        self.closing.append(worker)
        return worker

    def dealer(self, name: str, token: str | None = None) -> Dealer:
        known = PROOF.credentials(*parse_peer(name.encode()))
        known = known if token is None else PeerCredentials(name, token)
        dealer = Dealer(self.address, known, lambda body: None)
        self.closing.append(dealer)
        return dealer


@asynccontextmanager
async def table(first: int = 100) -> AsyncIterator[Table]:
    stage = Stage()
    account = account_of(stage, first_incarnation=first)
    with ShortDirectory() as directory:
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
    async with table() as rig:
        rig.worker(ready=True)
        await phase(rig.account, Phase.RUNNING)
        assert rig.hellos == [KEY]
        assert rig.account.heartbeat.met
        assert rig.account.heartbeat.pulse.heard > 0
        assert (rig.link.stale, rig.link.refused) == (0, 0)


async def test_a_worker_that_waits_is_starting_with_that_cause_until_it_is_ready() -> None:
    async with table() as rig:
        worker = rig.worker()
        worker.say(control.WorkerWaits("it waits for the gateway"))
        await until(lambda: rig.account.child.state.cause == "waiting")
        assert rig.account.status().cause == "waiting"
        worker.say(control.WorkerReady())
        await phase(rig.account, Phase.RUNNING)
        assert rig.account.status().cause is None


async def test_a_worker_that_never_stays_connected_is_known_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_rate, "MOST", 5)
    async with table() as rig:
        for _ in range(6):
            async with RawPeer(rig.address) as peer:
                await peer.prove(PROOF.credentials(KEY, 101))
        assert rig.link.reconnecting == {f"{KEY}#101": 6}
        rig.link.close()
        assert rig.link.reconnecting == {}


async def test_beats_are_figures_and_no_change() -> None:
    async with table() as rig:
        worker = rig.worker(ready=True)
        await phase(rig.account, Phase.RUNNING)
        rig.changes.clear()
        worker.say(beat(messages_in=7))
        await until(lambda: rig.figures)
        assert rig.account.status().messages_in == 7
        assert rig.changes == []


async def test_what_a_plugin_says_of_itself_is_a_change_once() -> None:
    async with table() as rig:
        worker = rig.worker()
        worker.say(control.StatusPatch({"detail": "in 3 rooms"}))
        worker.say(control.StatusPatch({"detail": "in 3 rooms"}))
        worker.say(beat())
        await until(lambda: rig.figures)
        assert rig.changes == [KEY]
        assert rig.account.status().plugin["detail"] == "in 3 rooms"


async def test_any_frame_relieves_a_suspect_and_that_is_a_change() -> None:
    async with table() as rig:
        worker = rig.worker(ready=True)
        await phase(rig.account, Phase.RUNNING)
        rig.account.check(rig.account.heartbeat.pulse.heard + 16)
        rig.link.ping(rig.account)
        await until(lambda: [body for body in worker.heard if body])
        (ping,) = control.decode_from_supervisor(worker.heard[-1])
        assert isinstance(ping, control.Ping)
        rig.changes.clear()
        worker.say(control.Pong(ping.id))
        await until(lambda: rig.changes)
        assert rig.account.heartbeat.pulse.asked is None


async def test_a_worker_is_told_once_to_beat_at_another_pace() -> None:
    async with table() as rig:
        rig.link.send_interval(rig.account, 2.0)  # it has not said hello: its boot tells it
        rig.account.heartbeat.pace = 5.0
        worker = rig.worker(ready=True)
        await phase(rig.account, Phase.RUNNING)
        for beat_seconds in (5.0, 2.0, 2.0):
            rig.link.send_interval(rig.account, beat_seconds)
        rig.link.ping(rig.account)
        await until(lambda: len([body for body in worker.heard if body]) == 2)
        told = [control.decode_from_supervisor(body)[0] for body in worker.heard if body]
        assert told == [control.BeatInterval(2.0), control.Ping(1)]


async def test_a_ready_worker_is_told_once_whether_the_gateway_runs() -> None:
    async with table() as rig:
        worker = rig.worker()
        await until(lambda: rig.account.heartbeat.met)
        rig.link.send_gateway_up(rig.account, True)  # it is not ready: the gateway expects it not
        worker.say(control.WorkerReady())
        await phase(rig.account, Phase.RUNNING)
        for up in (True, True, False, True):
            rig.link.send_gateway_up(rig.account, up)
        rig.link.ping(rig.account)
        await until(lambda: len([body for body in worker.heard if body]) == 4)
        told = [control.decode_from_supervisor(body)[0] for body in worker.heard if body]
        assert told == [*map(control.GatewayUp, (True, False, True)), control.Ping(1)]
        worker.say(control.ControlHello(KEY, 101, PROOF.token(KEY, 101), 1))
        await until(lambda: not rig.account.heartbeat.gateway_up)  # on a new connection: again


async def test_a_pace_that_cannot_be_told_is_told_later() -> None:
    async with table() as rig:
        worker = rig.worker(ready=True)
        await phase(rig.account, Phase.RUNNING)
        worker.close()
        await until(lambda: _gone(rig))
        assert rig.account.heartbeat.pace == 0.0


def _gone(rig: Table) -> bool:
    """Say whether the router has noticed that the worker is not there."""
    rig.account.heartbeat.pace = 0.0
    rig.link.send_interval(rig.account, 2.0)
    return rig.account.heartbeat.pace == 0.0


QUESTIONS: list[tuple[str, control.FromSupervisor, control.FromWorker, Any]] = [
    ("request_drain", control.Drain(), control.Drained(), True),
    ("request_recheck", control.Recheck(), control.Rechecked(True), control.Rechecked(True)),
]


@pytest.mark.parametrize(("ask", "question", "answer", "found"), QUESTIONS)
async def test_what_is_asked_is_asked_again_when_the_worker_connects_anew(
    ask: str, question: control.FromSupervisor, answer: control.FromWorker, found: Any
) -> None:
    async with table() as rig:
        worker = rig.worker(ready=True)
        await phase(rig.account, Phase.RUNNING)
        asking = asyncio.create_task(getattr(rig.link, ask)(rig.account, 10.0))
        await until(lambda: worker.told().count(question) == 1)
        # Its answer is lost: it says so by its hello, as on every new connection.
        worker.say(control.ControlHello(KEY, 101, PROOF.token(KEY, 101), 1))
        await until(lambda: worker.told().count(question) == 2)
        worker.say(answer)
        assert await asking == found
        worker.say(control.ControlHello(KEY, 101, PROOF.token(KEY, 101), 1), beat())
        await until(lambda: rig.figures)
        rig.link.ping(rig.account)
        await until(lambda: isinstance(worker.told()[-1], control.Ping))
        assert worker.told().count(question) == 2  # what is answered is not asked again


async def test_one_that_waits_no_longer_takes_no_answer_from_another() -> None:
    async with table() as rig:
        worker = rig.worker(ready=True)
        await phase(rig.account, Phase.RUNNING)
        asking = asyncio.create_task(rig.link.request_drain(rig.account, 10.0))
        await until(lambda: control.Drain() in worker.told())
        assert not await rig.link.request_drain(rig.account, 0.01)
        worker.say(control.Drained())
        assert await asking


async def test_a_suspect_is_relieved_by_old_news_too() -> None:
    async with table() as rig:
        worker = rig.worker(ready=True)
        worker.say(control.StatusPatch({"detail": "as ever"}))
        await until(lambda: rig.changes)
        await phase(rig.account, Phase.RUNNING)
        rig.account.check(rig.account.heartbeat.pulse.heard + 16)
        rig.changes.clear()
        worker.say(control.StatusPatch({"detail": "as ever"}))
        await until(lambda: rig.changes)


async def test_asking_one_that_is_gone_is_no_error() -> None:
    async with table() as rig:
        rig.link.ping(rig.account)


@pytest.mark.parametrize(
    ("name", "boot"),
    [
        (None, {"token": "wrong"}),
        (None, {"token": "schl\u00fcssel"}),  # compare_digest takes no such string
        (None, {"key": "local:stranger", "token": PROOF.token("local:stranger", 101)}),
        ("local:demo#99", {}),
    ],
    ids=["wrong token", "odd token", "unknown account", "the name of another"],
)
async def test_a_wrong_hello_is_refused(name: str | None, boot: dict[str, Any]) -> None:
    async with table() as rig:
        hello = rig.boot(**boot)
        dealer = rig.dealer(name or peer_name(hello.key, hello.incarnation))
        with structlog.testing.capture_logs() as logs:
            frame = control.ControlHello(hello.key, hello.incarnation, hello.token, 1)
            dealer.send(control.encode([frame, control.WorkerReady()]))
            await until(lambda: rig.link.refused)
        assert [line["event"] for line in logs] == ["worker refused"]
        assert rig.hellos == []
        assert rig.account.phase is Phase.STARTING
        assert rig.link.stale == 1  # the readiness of nobody


@pytest.mark.parametrize("token", ["0", "wrong", "schl\u00fcssel", PROOF.token(KEY, 100)])
async def test_a_stranger_is_refused_before_it_says_anything(token: str) -> None:
    async with table() as rig:
        with structlog.testing.capture_logs() as logs:
            dealer = rig.dealer(f"{KEY}#101", token)
            dealer.send(control.encode([control.WorkerReady()]))
            await until(lambda: rig.link.handshakes_refused)
        assert [(line["link"], line["log_level"]) for line in logs] == [("control", "warning")]
        assert "was refused: it is not a worker of this boot" in logs[0]["event"]
        assert (rig.link.stale, rig.link.refused) == (0, 0)


async def test_an_earlier_incarnation_is_late_not_wrong() -> None:
    async with table() as rig:
        rig.worker(100, ready=True)
        await until(lambda: rig.link.stale == 2)
        assert rig.link.refused == 0
        assert rig.account.phase is Phase.STARTING


async def test_frames_of_an_incarnation_that_ended_are_dropped() -> None:
    async with table() as rig:
        worker = rig.worker(ready=True)
        await phase(rig.account, Phase.RUNNING)
        rig.stage.last.die(Exit(code=1))
        await phase(rig.account, Phase.BACKOFF)
        worker.say(beat(), control.StatusPatch({"detail": "late"}))
        await until(lambda: rig.link.stale == 2)
        assert "detail" not in rig.account.status().plugin


async def test_a_new_incarnation_takes_the_place_of_the_old_proof() -> None:
    async with table() as rig:
        rig.worker(ready=True)
        await phase(rig.account, Phase.RUNNING)
        for incarnation in (102, 103):
            rig.stage.last.die(Exit(code=1))
            await phase(rig.account, Phase.BACKOFF)
            rig.account.child.post(Start())
            await phase(rig.account, Phase.STARTING)
            rig.worker(incarnation, ready=True)
            await phase(rig.account, Phase.RUNNING)
        assert len(rig.link._proved) == 1  # a leak shows nowhere else


async def test_the_proof_of_one_incarnation_is_none_for_the_next() -> None:
    async with table() as rig:
        rig.worker(ready=True)
        await phase(rig.account, Phase.RUNNING)
        rig.stage.last.die(Exit(code=1))
        await phase(rig.account, Phase.BACKOFF)
        rig.account.child.post(Start())
        await phase(rig.account, Phase.STARTING)
        rig.worker(102, ready=True, hello="wrong")
        await until(lambda: rig.link.refused and rig.link.stale)
        assert rig.account.phase is Phase.STARTING


async def test_a_removed_account_is_forgotten() -> None:
    async with table() as rig:
        worker = rig.worker(ready=True)
        await phase(rig.account, Phase.RUNNING)
        rig.link.forget(KEY, 1)
        rig.link.forget("local:never", 1)
        worker.say(beat())
        await until(lambda: rig.link.stale == 1)
        assert rig.figures == []
        rig.link.forget(KEY, rig.account.child.state.incarnation)
        worker.say(beat())
        await until(lambda: rig.link.refused == 1)  # it is nobody's
        assert rig.link.stale == 1


async def test_a_malformed_frame_is_counted_and_named() -> None:
    async with table() as rig:
        dealer = rig.dealer("local:demo#101")
        with structlog.testing.capture_logs() as logs:
            dealer.send(b"\xc1nonsense")
            await until(lambda: rig.link.refused)
        assert logs[0]["event"] == "control frame refused"
        assert "malformed control frame" in logs[0]["why"]
        rig.worker(ready=False).close()


async def test_an_exception_of_a_callback_affects_only_that_frame() -> None:
    async with table() as rig:
        worker = rig.worker(ready=True)
        await phase(rig.account, Phase.RUNNING)

        def broken(account: Account) -> None:
            raise RuntimeError("no room")

        rig.link._on_figures = broken  # what raises in the midst of a frame
        with structlog.testing.capture_logs() as logs:
            worker.say(beat())
            await until(lambda: logs)
        assert logs[0]["event"] == "control frame failed"
        worker.say(control.StatusPatch({"detail": "still there"}))
        await until(lambda: rig.account.heartbeat.plugin.get("detail"))


async def test_what_has_come_is_read_when_that_is_asked_for() -> None:
    async with table() as rig:
        worker = rig.worker(ready=True)
        await phase(rig.account, Phase.RUNNING)
        assert rig.link._router is not None  # a busy router
        asyncio.get_running_loop().remove_reader(rig.link._router._fd)  # it is not read by chance
        worker.say(beat(messages_in=3))
        await asyncio.sleep(0.1)  # the frame travels in threads of ZeroMQ
        rig.link.drain_now()
        assert rig.account.status().messages_in == 3
        rig.account.child.post(Stop())


async def test_a_worker_that_is_to_weigh_itself_is_asked_and_its_answer_kept() -> None:
    async with table() as rig:
        worker = rig.worker(ready=True)
        await phase(rig.account, Phase.RUNNING)
        rig.link.request_share(rig.account)
        await until(lambda: control.Weigh() in worker.told())
        worker.say(control.Weighed(123 << 20))
        await until(lambda: rig.account.heartbeat.pop_share() == 123 << 20)
        assert rig.account.heartbeat.pop_share() is None
        rig.account.child.post(Stop())
