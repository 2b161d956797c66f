"""The session to a gateway that is not ours: what is a sign of life, and what is a fault."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from ipc.errors import ConnectionFailed
from ipc.websocket.client import Client
from ipc.websocket.probe import challenges
from runtime.supervisor.gateways.interface import SessionEvents
from runtime.supervisor.gateways.operator_session import Access, OperatorSession
from tests.support.fakeserver import Refusal
from tests.support.players import PlayedGateway
from tests.support.until import until

SILENCE = 0.2
PRESENCE = "system-presence"


class OperatorSessionRig:
    """A session to a gateway, and what it tells."""

    def __init__(self, server: PlayedGateway) -> None:
        self.server = server
        self.told: list[str] = []
        events = SessionEvents(
            lambda: self.told.append("up"),
            lambda reason: self.told.append(f"lost: {reason}"),
            lambda reason: self.told.append(f"fault: {reason}"),
            lambda reason: self.told.append(f"refused: {reason}"),
        )
        access = Access(server.url, "1", self._nothing, self._nothing)
        self.session = OperatorSession(access, events, silence=SILENCE, lost_within=60.0)

    async def _nothing(self) -> None:
        return None


@asynccontextmanager
async def open_session(**methods: Any) -> AsyncIterator[OperatorSessionRig]:
    """A session that is open to a gateway which answers ``methods``, or nothing any more."""
    server = PlayedGateway({name.replace("_", "-"): value for name, value in methods.items()})
    if not methods:
        server.leaves_unanswered(PRESENCE, "health")
    await server.on_tcp()
    rig = OperatorSessionRig(server)
    task = asyncio.create_task(rig.session.run())
    try:
        await until(lambda: rig.told == ["up"])
        yield rig
    finally:
        task.cancel()
        await asyncio.wait([task])
        await server.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OperatorSession, "VERIFY_WITHIN", 0.3)


async def test_s072_silence_and_an_answer_to_the_question_means_healthy() -> None:
    async with open_session(system_presence=[]) as rig:
        await rig.server.asked_for(PRESENCE, times=3)
        assert rig.told == ["up"]


async def test_s073_s090_silence_and_no_answer_is_a_fault_of_the_transport() -> None:
    async with open_session() as rig:
        await until(lambda: len(rig.told) == 2)
        assert rig.told[1] == "fault: no answer for 0.5 s"


async def test_s090_an_error_that_the_gateway_declares_is_an_answer() -> None:
    refusal = Refusal("UNAVAILABLE", "not now")
    async with open_session(system_presence=refusal, slow=refusal) as rig:
        await rig.server.asked_for(PRESENCE, times=3)
        assert await rig.session.try_call("slow", {}) == "UNAVAILABLE: not now"
        assert rig.told == ["up"]


async def test_s091_a_call_that_is_slow_is_no_failure_of_a_gateway_that_talks() -> None:
    async with open_session() as rig:
        talking = asyncio.create_task(talk(rig.server))
        said = await rig.session.try_call("health", {})
        assert said == "health: no answer within 0.3 s"
        await asyncio.sleep(3 * SILENCE)
        assert rig.told == ["up"]
        assert rig.session.connected
        talking.cancel()
        await asyncio.wait([talking])


async def test_s075_no_answer_in_time_is_no_verdict_when_it_has_talked_since_the_question() -> None:
    asked: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def note(params: Any) -> None:
        asked.set_result(asyncio.get_running_loop().time())
        await over.wait()

    async with open_session() as rig:
        rig.server.methods[PRESENCE] = note
        began = await asked
        await rig.server.tell("tick", {})
        await until(lambda: len(rig.told) == 2)  # the next silence is judged again
        assert rig.told[1].startswith("fault: no answer")
        assert asyncio.get_running_loop().time() - began > 2 * OperatorSession.VERIFY_WITHIN
        over.set()


async def talk(server: PlayedGateway) -> None:
    while True:
        await server.tell("tick", {})
        await asyncio.sleep(SILENCE / 4)


OTHER: list[str | bytes] = [
    '{"type": "event", "event": "tick", "payload": {"ts": 1}}',
    '{"type": "res", "id": "nobody-asked", "ok": true}',
]
MALFORMED: list[str | bytes] = ["{", "[]", '"connect.challenge"', '{"type": "event"}', b"\x00\xff"]


@asynccontextmanager
async def greeting_late(first: list[str | bytes]) -> AsyncIterator[str]:
    """A gateway that says other things before its challenge; yields its URL."""

    async def greet(connection: ServerConnection) -> None:
        for frame in first:
            await connection.send(frame)
        challenge = {"type": "event", "event": "connect.challenge", "payload": {"nonce": "n"}}
        await connection.send(json.dumps(challenge))
        with contextlib.suppress(ConnectionClosed):  # a probe leaves without a word
            request = json.loads(await connection.recv())
            hello = {"type": "hello-ok", "protocol": 4, "server": {"version": "1"}}
            answer = {"type": "res", "id": request["id"], "ok": True, "payload": hello}
            await connection.send(json.dumps(answer))
            await connection.wait_closed()

    async with serve(greet, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


async def test_s020_a_probe_waits_for_the_challenge_whatever_comes_before_it() -> None:
    async with greeting_late([*OTHER, *MALFORMED]) as url:
        assert await challenges(url, 20.0)


async def test_s020_a_client_waits_for_the_challenge_and_names_a_server_of_another_protocol() -> (
    None
):
    async with greeting_late(OTHER) as url:
        client = await Client.connect(url, timeout=20.0)
        assert client.protocol == 4
        await client.close()
    async with greeting_late(MALFORMED) as url:
        with pytest.raises(ConnectionFailed, match="no gateway there"):
            await Client.connect(url, timeout=20.0)


async def test_s086_a_call_while_not_connected_fails_at_once() -> None:
    async with open_session(system_presence=[]) as rig:
        unopened = OperatorSession(
            # As the first one was made.
            rig.session._access,
            rig.session._events,
            silence=60.0,
            lost_within=60.0,
        )
        assert await unopened.try_call("system-presence", {}) == "not connected"
        await rig.server.close()
        await until(lambda: not rig.session.connected)
        assert await rig.session.try_call("system-presence", {}) == "not connected"
        await rig.server.on_tcp()
