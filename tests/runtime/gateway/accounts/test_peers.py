"""Workers that have proved their identity, and calls that wait for them."""

from __future__ import annotations

import asyncio

import pytest

from ipc.errors import RemoteError
from ipc.frames.data import (
    Answer,
)
from tests.support.gateway_rig import gateway_rig, row
from tests.support.messages import KEY


async def test_a_send_right_after_the_start_waits_for_the_account() -> None:
    async with gateway_rig(row(KEY), row("irc:oftc", "backoff")) as rig:
        client = await rig.client()
        params = {"channel": "irc", "accountId": "libera", "to": "x", "message": "hi"}
        asked = client.call("send", params | {"idempotencyKey": "k"})
        assert rig.tasks is not None
        sent = rig.tasks.create_task(asked)
        with pytest.raises(RemoteError, match="not running"):  # no wait for what does not come
            await client.call("send", params | {"accountId": "oftc", "idempotencyKey": "k2"})
        assert not sent.done()
        worker = await rig.worker(KEY, ready=False)  # it may be asked as soon as it is welcome
        worker.on_call = lambda call: Answer(call.id, True, b'{"id":"1","chat":"x","ts":1}')
        async with asyncio.timeout(5):
            assert (await sent)["messageId"] == "1"
