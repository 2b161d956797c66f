"""``send``, over real sockets."""

from __future__ import annotations

from typing import Any

import msgspec

from ipc.frames.data import Answer, Call
from tests.support.gateway_rig import gateway_rig
from tests.support.handshakes import greeted

KEY = "irc:libera"


SENT = b'{"id":"m-1","chat":"#room","ts":5}'


SEND = {"to": "#room", "message": "hi", "idempotencyKey": "k-1"}


async def test_a_message_is_sent_by_its_account() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        seen: list[Any] = []

        def on_call(call: Call) -> Answer:
            seen.append((call.method, msgspec.json.decode(call.params)))
            return Answer(call.id, True, SENT)

        worker.on_call = on_call
        answer = await (await rig.client()).call("send", SEND)
        assert answer == {
            "runId": "k-1",
            "messageId": "m-1",
            "channel": "irc",
            "chatId": "#room",
        }
        plain = {"to": "#room", "text": "hi", "key": "k-1"}
        assert seen == [("send", plain)]
        marked = {"markup": "markdown", "silent": True}
        await (await rig.client()).call("send", SEND | marked | {"idempotencyKey": "k-2"})
        assert seen[1] == ("send", plain | marked | {"key": "k-2"})


async def test_a_refusal_of_the_plugin_comes_back_as_it_is() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        shape = b'{"code":"UNAVAILABLE","message":"no such nick","retryable":false}'
        worker.on_call = lambda call: Answer(call.id, False, shape)
        answer = await (await greeted(rig)).call("send", SEND)
        assert answer["error"]["message"] == "no such nick"
