"""Which messages agents answer, and what becomes of agents that fail."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from ipc.frames.data import (
    Answer,
)
from tests.support.gateway_rig import INBOUND_ADDRESSED, gateway_rig, payload, single
from tests.support.messages import KEY


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
        async with asyncio.timeout(5):
            method, params = await calls.get()
        assert method == "send"
        assert params == {"to": "person-1", "text": "echo: hello", "key": "echo:1:3"}
        assert calls.empty()
