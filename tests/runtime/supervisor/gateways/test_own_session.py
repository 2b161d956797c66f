from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from websockets.asyncio.server import ServerConnection, serve

from ipc.errors import PeerGone, RemoteError
from runtime.supervisor.gateways import own_session as module
from runtime.supervisor.gateways.interface import SessionEvents
from runtime.supervisor.gateways.own_session import OwnSession
from tests.support.fakeserver import Refusal
from tests.support.players import PlayedGateway
from tests.support.until import until


class Reporter:
    """Reports what a test puts into ``news``."""

    def __init__(self) -> None:
        self.news: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self.answers: list[Any] = []

    def whole(self) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        return {"whole": True, "accounts": {}}

    def changes(self) -> dict[str, Any] | None:
        return self.news.pop(0) if self.news else None

    def on_answer(self, answer: Any) -> None:
        self.answers.append(answer)


class OwnSessionRig:
    """A session at work, and what it tells."""

    def __init__(self, url: str, silence: float) -> None:
        self.reporter = Reporter()
        self.told: list[str] = []
        self.times: list[float] = []  # when, on the loop's clock
        self.asked: list[tuple[str, Any]] = []
        self.answer: Callable[[str, Any], Any] = lambda method, params: {"done": method}
        self.session = OwnSession(
            url,
            "token",
            SessionEvents(
                lambda: self._tell("up"),
                lambda reason: self._tell(f"lost: {reason}"),
                lambda reason: self._tell(f"fault: {reason}"),
                lambda reason: self._tell(f"refused: {reason}"),
            ),
            version="1",
            reporter=self.reporter,
            answer=self._answer,
            silence=silence,
        )

    def _tell(self, text: str) -> None:
        self.told.append(text)
        self.times.append(asyncio.get_running_loop().time())

    async def _answer(self, method: str, params: Any, by: str | None) -> Any:
        self.asked.append((method, params))
        result = self.answer(method, params)
        return await result if asyncio.iscoroutine(result) else result

    def news(self, **report: Any) -> None:
        self.reporter.news.append(report)
        self.session.send_changes()

    async def until(self, *words: str) -> None:
        await until(lambda: len(self.told) >= len(words))
        for told, word in zip(self.told, words, strict=False):
            assert told.startswith(word), self.told


@asynccontextmanager
async def open_session(url: str, silence: float = 30.0) -> AsyncIterator[OwnSessionRig]:
    rig = OwnSessionRig(url, silence)
    task = asyncio.create_task(rig.session.run())
    try:
        yield rig
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def gateway(**methods: Any) -> AsyncIterator[PlayedGateway]:
    rig = PlayedGateway({name.replace("_", "."): value for name, value in methods.items()})
    await rig.on_tcp()
    try:
        yield rig
    finally:
        await rig.close()


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY", (0.01, 0.02))
    monkeypatch.setattr(module, "LOST_WITHIN", 0.1)
    monkeypatch.setattr(OwnSession, "VERIFY_WITHIN", 0.1)
    monkeypatch.setattr(module, "BEAT", 0.05)


async def test_it_introduces_itself_reports_everything_and_is_up() -> None:
    async with gateway() as there, open_session(there.url) as here:
        await here.until("up")
        assert here.session.connected
        assert there.reports == [{"whole": True, "accounts": {}}]
        (hello,) = there.hellos
        assert hello["auth"] == {"token": "token"}
        assert hello["client"]["displayName"] == "supervisor"
        await there.asked_for("last-heartbeat", 2)


async def test_changes_follow_one_report_at_a_time() -> None:
    async with gateway() as there, open_session(there.url) as here:
        await here.until("up")
        here.news(number=1)
        await there.until(lambda: len(there.reports) == 2)
        here.session.send_changes()  # nothing new: nothing is sent
        here.news(number=2)
        await there.until(lambda: len(there.reports) == 3)
        assert [report.get("number") for report in there.reports] == [None, 1, 2]


async def test_what_the_gateway_asks_is_answered() -> None:
    async with gateway() as there, open_session(there.url) as here:
        await here.until("up")
        await there.ask(7, "channels.stop", {"accounts": ["irc:a"]})
        assert await there.told(7) == {"id": 7, "ok": True, "payload": {"done": "channels.stop"}}
        assert here.asked == [("channels.stop", {"accounts": ["irc:a"]})]
        await there.ask(8, "version", None)
        await there.told(8)
        assert here.asked[-1] == ("version", {})
        await there.tell("tick", {})


def refuse(method: str, params: Any) -> Any:
    raise RemoteError("INVALID_REQUEST", "unknown account")


def fail(method: str, params: Any) -> Any:
    raise KeyError("a bug")


async def test_a_refusal_of_the_supervisor_is_passed_on() -> None:
    async with gateway() as there, open_session(there.url) as here:
        await here.until("up")
        here.answer = refuse
        await there.ask(1, "channels.stop", {})
        error = {"code": "INVALID_REQUEST", "message": "unknown account"}
        assert await there.told(1) == {"id": 1, "ok": False, "error": error}


async def test_a_request_that_fails_costs_neither_the_session_nor_us() -> None:
    async with gateway() as there, open_session(there.url) as here:
        await here.until("up")
        here.answer = fail
        with structlog.testing.capture_logs() as logs:
            await there.ask(1, "channels.stop", {})
            answer = await there.told(1)
        assert answer["error"]["message"] == "channels.stop failed; see the supervisor's log"
        assert [line["event"] for line in logs if line["log_level"] == "error"] == [
            "request failed"
        ]
        assert here.session.connected


@pytest.mark.parametrize("payload", [None, {}, {"id": "x", "method": 1}, [1], "text"])
async def test_nonsense_is_not_answered_and_costs_nothing(payload: Any) -> None:
    async with gateway() as there, open_session(there.url) as here:
        await here.until("up")
        with structlog.testing.capture_logs() as logs:
            await there.tell("supervisor.request", payload)
            await there.ask(2, "version", {})
            await there.told(2)
        assert logs[0]["event"] == "malformed request of the gateway"
        assert here.asked == [("version", {})]


async def test_a_lost_session_is_told_and_opened_again() -> None:
    async with gateway() as there, open_session(there.url) as here:
        await here.until("up")
        await there.people[0].close(1012, "service restart")
        await here.until("up", "lost: closed with 1012 service restart", "up")
        assert len(there.reports) == 2


async def test_an_answer_that_takes_long_does_not_delay_the_next_session() -> None:
    async with gateway() as there, open_session(there.url) as here:
        await here.until("up")
        here.answer = lambda method, params: asyncio.sleep(60)
        await there.ask(1, "channels.stop", {})
        await until(lambda: here.asked)
        await there.people[0].close(1012)
        await here.until("up", "lost", "up")


async def test_a_refused_token_is_a_fault_at_once() -> None:
    async with gateway() as there:
        there.token = "another"
        async with open_session(there.url) as here:
            await here.until("fault: session refused: INVALID_REQUEST: unauthorized")
            assert not here.session.connected


async def test_a_gateway_that_cannot_be_reached_becomes_a_fault() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with open_session(f"ws://127.0.0.1:{nobody.getsockname()[1]}") as here:
            await here.until("fault")
            assert "lost" not in here.told


async def test_a_gateway_that_refuses_reports_is_not_tried_in_a_tight_loop() -> None:
    async with gateway(channels_report=Refusal("UNAVAILABLE", "no")) as there:
        async with open_session(there.url) as here:
            await here.until("fault: session refused: UNAVAILABLE: no")
        assert here.told[0].startswith("fault")
        assert 2 <= len(there.hellos) < 15


async def test_a_report_that_cannot_be_made_is_logged_and_tried_again() -> None:
    async with gateway() as there:
        rig = OwnSessionRig(there.url, 30.0)
        rig.reporter.error = RuntimeError("a bug")
        with structlog.testing.capture_logs() as logs:
            task = asyncio.create_task(rig.session.run())
            await rig.until("fault: session refused: ExceptionGroup")
            rig.reporter.error = None
            await until(lambda: "up" in rig.told)
        task.cancel()
        await asyncio.wait([task])
        assert "session failed" in {line["event"] for line in logs}


async def test_a_gateway_that_hangs_is_asked_once_more_then_faulty() -> None:
    async with gateway() as there:
        there.leaves_unanswered("last-heartbeat")
        async with open_session(there.url, silence=0.15) as here:
            await here.until("up", "fault: no answer for 0.25 s")
            assert here.told.count("up") == 1
        asked = [name for name, _ in there.asked]
        assert asked.count("channels.report") == 1


async def test_a_gateway_that_hangs_in_its_first_report_is_faulty_too() -> None:
    async with gateway() as there:
        there.leaves_unanswered("channels.report")
        async with open_session(there.url, silence=0.15) as here:
            await here.until("fault: no answer for 0.25 s")
            assert not here.session.connected


async def test_a_refused_beat_is_a_sign_of_life() -> None:
    async with gateway() as there:
        there.methods["last-heartbeat"] = Refusal("UNAVAILABLE", "busy")
        async with open_session(there.url, silence=0.15) as here:
            await there.asked_for("last-heartbeat", 5)
        assert here.told == ["up"]


async def test_an_answer_to_the_last_question_saves_the_gateway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(OwnSession, "VERIFY_WITHIN", 5.0)
    async with gateway() as there:
        there.methods["last-heartbeat"] = lambda params: asyncio.sleep(0.2, {})
        async with open_session(there.url, silence=0.15) as here:
            await there.asked_for("system-presence", 2)
        assert here.told == ["up"]


async def test_other_news_of_a_gateway_count_as_a_sign_of_life() -> None:
    async with gateway() as there:
        there.leaves_unanswered("last-heartbeat")
        async with open_session(there.url, silence=0.3) as here:
            await here.until("up")
            for _ in range(20):
                await asyncio.sleep(0.03)
                await there.tell("tick", {})
            assert here.told == ["up"]
            await here.until("up", "fault")


@pytest.mark.parametrize("turns", range(4))
async def test_a_cancellation_that_meets_an_error_is_not_lost(turns: int) -> None:
    async def gone() -> None:
        raise PeerGone("gateway", maybe_executed=True)

    async with gateway() as there:
        rig = OwnSessionRig(there.url, 30.0)
        task = asyncio.create_task(rig.session.run())
        await rig.until("up")
        assert rig.session._tasks is not None  # only its own tasks end with it
        rig.session._tasks.create_task(gone())  # as above
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task], timeout=5)
        assert task.cancelled()


async def test_a_gateway_has_its_time_to_come_back_from_when_it_was_lost() -> None:
    there = PlayedGateway({})
    await there.on_tcp()
    async with open_session(there.url) as here:
        await here.until("up")
        await asyncio.sleep(2 * module.LOST_WITHIN)
        await there.close()
        await here.until("up", "lost", "fault")
        assert here.times[2] - here.times[1] > module.LOST_WITHIN


async def test_reconnects_become_rarer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY", (0.0, 0.0, 1000.0))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with open_session(f"ws://127.0.0.1:{nobody.getsockname()[1]}") as here:
            await until(lambda: here.session.attempts == 3)
            await asyncio.sleep(0.05)
            assert here.session.attempts == 3


async def test_a_gateway_that_accepts_and_says_nothing_becomes_a_fault() -> None:
    async with gateway() as there:
        there.hangs = True
        async with open_session(there.url, silence=0.15) as here:
            await here.until("fault: session refused: ")


NONSENSE = [
    b"hello",
    b'{"type":"event","event":"connect.challenge","payload":{"nonce":"n"}}',
    b'{"type":"res","id":"0","ok":true,"payload":' + b"[" * 5000 + b"]" * 5000 + b"}",
]


async def test_a_gateway_that_talks_nonsense_ends_nothing() -> None:
    async def talk(connection: ServerConnection) -> None:
        for text in NONSENSE[1:]:
            await connection.send(text, text=True)
        await connection.wait_closed()

    async def babble(connection: ServerConnection) -> None:
        await connection.send(NONSENSE[0], text=True)
        await connection.wait_closed()

    for met in (talk, babble):
        async with serve(met, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with open_session(f"ws://127.0.0.1:{port}") as here:
                await here.until("fault")


async def test_telling_without_a_session_does_nothing() -> None:
    async with gateway() as there:
        rig = OwnSessionRig(there.url, 30.0)
        assert await rig.session.try_call("gateway.closing", {}) == "not connected"
        assert there.asked == []


async def test_a_gateway_that_does_not_listen_may_be_told_in_vain() -> None:
    refusal = Refusal("INVALID_REQUEST", "what?")
    async with gateway(gateway_closing=refusal) as there, open_session(there.url) as here:
        await here.until("up")
        said = await here.session.try_call("gateway.closing", {"restarting": True})
        assert said == "INVALID_REQUEST: what?"
        assert ("gateway.closing", {"restarting": True}) in there.asked
        assert here.session.connected
