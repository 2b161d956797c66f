"""Which messages agents answer, and what becomes of agents that fail."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from ipc.errors import RemoteError
from ipc.frames.data import ADDRESSED, INBOUND, Answer
from runtime.gateway.accounts import agents
from runtime.gateway.accounts.agents import Agents
from runtime.gateway.jobs import Jobs
from tests.support.admission import open_gate
from tests.support.gateway_rig import INBOUND_ADDRESSED, gateway_rig, payload, single
from tests.support.messages import KEY
from tests.support.until import PATIENCE


async def test_the_echo_agent_answers_what_is_meant_for_it() -> None:
    async with gateway_rig(agents="echo") as rig:
        worker = await rig.worker(KEY)
        calls: asyncio.Queue[Any] = asyncio.Queue()

        def on_call(call: Any) -> Answer:
            calls.put_nowait((call.method, msgspec.json.decode(call.params)))
            return Answer(call.id, True, b'{"id":"1","chat":"person-1","ts":1}')

        worker.on_call = on_call
        worker.say(1)  # not addressed
        bot = {"id": "bot", "bot": True}
        worker.send(single(2, INBOUND_ADDRESSED, payload(KEY, 2, sender=bot)))
        worker.send(single(3, INBOUND_ADDRESSED, payload(KEY, 3, text="hello")))
        async with asyncio.timeout(PATIENCE):
            method, params = await calls.get()
        assert method == "send"
        assert params == {"to": "person-1", "text": "echo: hello", "key": "echo:1:3"}
        assert calls.empty()


class Answering:
    """Agents whose calls to accounts are recorded, or fail with ``error``."""

    def __init__(self, tasks: asyncio.TaskGroup, **config: Any) -> None:
        self.jobs = Jobs(tasks)
        self.sent: list[tuple[str, str, Any]] = []
        self.error: Exception | None = None
        self.agents = Agents(config, self.jobs, self.call, open_gate(KEY, "irc:oftc"))

    async def call(self, key: str, method: str, params: bytes, seconds: float) -> bytes:
        if self.error is not None:
            raise self.error
        self.sent.append((key, method, msgspec.json.decode(params)))
        return b"{}"

    async def hears(self, *bodies: bytes, key: str = KEY, flags: int = INBOUND_ADDRESSED) -> None:
        for body in bodies:
            self.agents.on_message(key, flags, body)
        assert await self.jobs.finish(5)


@pytest.mark.parametrize("flags", [INBOUND, ADDRESSED, 0])
async def test_only_what_people_address_to_an_account_is_answered(flags: int) -> None:
    async with asyncio.TaskGroup() as tasks:
        answering = Answering(tasks, default="echo")
        await answering.hears(payload(KEY, 1), flags=flags)
        assert answering.sent == []


async def test_an_account_may_have_an_agent_of_its_own_or_none() -> None:
    async with asyncio.TaskGroup() as tasks:
        answering = Answering(tasks, default="none", accounts={"irc:oftc": "echo"})
        await answering.hears(payload(KEY, 1))
        await answering.hears(payload("irc:oftc", 1), key="irc:oftc")
        assert [key for key, _, _ in answering.sent] == ["irc:oftc"]
        answering.agents.configure({"default": "echo", "accounts": {"irc:oftc": "none"}})
        await answering.hears(payload(KEY, 2))
        await answering.hears(payload("irc:oftc", 2), key="irc:oftc")
        assert [key for key, _, _ in answering.sent] == ["irc:oftc", KEY]
        assert answering.agents.answered == 2


async def test_an_answer_stays_in_its_thread_and_names_its_message() -> None:
    async with asyncio.TaskGroup() as tasks:
        answering = Answering(tasks, default="echo")
        await answering.hears(payload(KEY, 3, incarnation=7, text="hi", thread="t-1"))
        ((_, method, params),) = answering.sent
        assert method == "send"
        assert (params["thread"], params["key"]) == ("t-1", "echo:7:3")


async def test_what_cannot_be_answered_is_counted_by_reason() -> None:
    async with asyncio.TaskGroup() as tasks:
        answering = Answering(tasks, default="echo")
        await answering.hears(b'{"cursor":1}')
        answering.error = RemoteError("UNAVAILABLE", "gone")
        await answering.hears(payload(KEY, 1))
        answering.error = ValueError("a fault")
        await answering.hears(payload(KEY, 2))
        counted = {reason: count for reason, count in answering.agents.failed.items() if count}
        assert counted == {"error": 1, "send": 1, "malformed": 1}
        assert answering.agents.answered == 0


async def test_too_many_answers_on_their_way_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "MAX_RUNNING", 1)
    async with asyncio.TaskGroup() as tasks:
        answering = Answering(tasks, default="echo")
        await answering.hears(payload(KEY, 1), payload(KEY, 2))
        assert (answering.agents.answered, answering.agents.failed["busy"]) == (1, 1)
        await answering.hears(payload(KEY, 3))
        assert answering.agents.answered == 2
