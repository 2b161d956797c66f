"""Methods of the gateway answer requests by HTTP, those that ask an account, too."""

from __future__ import annotations

import asyncio

import pytest

from ipc.errors import RemoteError
from runtime.gateway.http.method_calls import call_method
from tests.support.account_calls import KEY, calls_of, can
from tests.support.gateway_rig import gateway_rig, row

SEND = {
    "channel": "irc",
    "action": "send",
    "idempotencyKey": "k",
    "params": {"to": "#x", "text": "hi"},
}


async def test_methods_that_answer_at_once_that_wait_and_that_ask_an_account() -> None:
    async with gateway_rig(agents="echo") as rig:
        parts = rig.parts
        assert (await call_method(parts, "agents.list", {}))["defaultId"] == "echo"
        assert (await call_method(parts, "sessions.list", {}))["count"] == 0
        with pytest.raises(RemoteError, match="invalid sessions"):
            await call_method(parts, "sessions.list", {"limit": 0})
        can(rig, "send")
        calls = await calls_of(rig)
        assert (await call_method(parts, "message.action", SEND))["ok"] is True
        assert calls[0][1]["text"] == "hi"
        with pytest.raises(RemoteError, match="does not support action juggle"):
            await call_method(parts, "message.action", SEND | {"action": "juggle"})


async def test_a_call_to_an_account_that_dies_meanwhile_may_have_been_executed() -> None:
    async with gateway_rig() as rig:
        can(rig, "send")
        worker, called = await rig.worker(KEY), asyncio.Event()
        worker.on_call = lambda call: called.set()
        calling = asyncio.create_task(call_method(rig.parts, "message.action", SEND))
        await called.wait()
        await rig.report(row(KEY, "backoff"))
        with pytest.raises(RemoteError, match="may have been executed") as failure:
            await calling
        assert (failure.value.retryable, failure.value.details) == (False, {"maybeExecuted": True})
