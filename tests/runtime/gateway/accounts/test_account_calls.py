"""Calls to accounts: absent, dying and malicious workers, malformed answers."""

from __future__ import annotations

import asyncio

import pytest

from ipc.errors import CallTimeout, RemoteError
from ipc.frames.data import MAX_PAYLOAD_BYTES, Answer, Call
from tests.support.account_calls import SENT, action, calls_of, can
from tests.support.gateway_rig import gateway_rig, row

KEY = "irc:libera"


SEND = {"to": "#room", "message": "hi", "idempotencyKey": "k-1"}


async def test_an_account_that_is_not_there_is_unavailable_at_once() -> None:
    async with gateway_rig(row(KEY, "backoff", last_error="killed")) as rig:
        with pytest.raises(RemoteError, match=r"not running \(backoff: killed\)") as failure:
            await (await rig.client()).call("send", SEND)
        assert failure.value.code == "UNAVAILABLE"
        assert failure.value.retryable


async def test_a_worker_whose_connection_is_gone_is_unavailable_at_once() -> None:
    async with gateway_rig() as rig:
        client = await rig.client()
        worker = await rig.worker(KEY)
        worker.close()
        refusals: list[RemoteError] = []
        while not refusals:  # until ZeroMQ has noticed, a call waits for an answer
            try:
                await client.call("send", SEND, timeout=0.05)
            except CallTimeout:
                continue
            except RemoteError as error:
                refusals.append(error)
        assert refusals[0].code == "UNAVAILABLE"
        assert refusals[0].retryable


async def test_a_worker_that_dies_fails_its_calls_at_once() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        called = asyncio.Event()
        worker.on_call = lambda call: called.set()
        client = await rig.client()
        sending = asyncio.create_task(client.call("send", SEND))
        await called.wait()
        await rig.report(row(KEY, "backoff"))
        with pytest.raises(RemoteError, match="may have been executed") as failure:
            await sending
        assert (failure.value.retryable, failure.value.details) == (False, {"maybeExecuted": True})


async def test_a_sibling_cannot_answer_anothers_call() -> None:
    async with gateway_rig(row(KEY), row("irc:oftc")) as rig:
        worker, sibling = await rig.worker(KEY), await rig.worker("irc:oftc")
        calls: asyncio.Queue[Call] = asyncio.Queue()
        worker.on_call = calls.put_nowait
        client = await rig.client()
        sending = asyncio.create_task(client.call("send", SEND))
        call = await calls.get()
        sibling.send(Answer(call.id, True, b'{"id":"forged","chat":"x","ts":1}'))
        sibling.say(1)
        await sibling.next(object)
        worker.send(Answer(call.id, True, SENT))
        assert (await sending)["messageId"] == "m-1"


@pytest.mark.parametrize("answer", [b"[]", b"{", b'{"id":7}', b'{"id":"\xff"}', b"[" * 100_000])
async def test_an_answer_that_is_none_is_told_and_names_the_account(answer: bytes) -> None:
    async with gateway_rig() as rig:
        can(rig, "send", "edit")
        await calls_of(rig, answer)
        client = await rig.client()
        for method, params in (
            ("send", {"to": "#room", "idempotencyKey": "k", "message": "hi"}),
            ("message.action", action("edit", to="#room", messageId="m-1", message="better")),
        ):
            if method == "message.action" and answer == b'{"id":7}':
                continue  # an object is all that an action answers
            with pytest.raises(RemoteError) as caught:
                await client.call(method, params)
            assert caught.value.code == "UNAVAILABLE"
            assert caught.value.message.startswith(f"{KEY}: malformed answer (")
            assert not caught.value.retryable


@pytest.mark.parametrize("answer", [b"[]", b"{", b"[" * 100_000])
async def test_other_answers_that_are_none_harm_nobody(answer: bytes) -> None:
    async with gateway_rig() as rig:
        await calls_of(rig, answer)
        client = await rig.client()
        with pytest.raises(RemoteError, match=f"{KEY}: malformed answer"):
            await client.call("channels.logout", {"channel": "irc"})
        status = await client.call("channels.status", {"probe": True})
        (row, *_) = status["channelAccounts"]["irc"]
        assert row["probe"]["ok"] is False


@pytest.mark.parametrize("error", [b"[]", b"{", b'{"code":"X","details":' + b"[" * 100_000])
async def test_an_error_that_is_none_is_told_and_names_the_account(error: bytes) -> None:
    async with gateway_rig() as rig:
        await calls_of(rig, error, ok=False)
        client = await rig.client()
        with pytest.raises(RemoteError, match=f"UNAVAILABLE: {KEY}: malformed error"):
            await client.call("send", {"to": "#room", "idempotencyKey": "k", "message": "hi"})


async def test_a_send_that_is_too_large_is_refused_alone() -> None:
    async with gateway_rig(row(KEY), row("irc:oftc")) as rig:
        for key in (KEY, "irc:oftc"):
            worker = await rig.worker(key)
            worker.on_call = lambda call: Answer(call.id, True, b'{"id":"1","chat":"x","ts":1}')
        client = await rig.client()
        params = {"channel": "irc", "to": "x", "message": "hi", "accountId": "libera"}
        large = {"idempotencyKey": "large", "buffer": "A" * MAX_PAYLOAD_BYTES}
        assert rig.tasks is not None
        others = [
            rig.tasks.create_task(client.call("send", params | more))
            for more in ({"idempotencyKey": "a"}, {"idempotencyKey": "b", "accountId": "oftc"})
        ]
        with pytest.raises(RemoteError, match="at most 1048576 go to an account") as caught:
            await client.call("send", params | large)
        assert caught.value.code == "INVALID_REQUEST"
        assert [(await other)["messageId"] for other in others] == ["1", "1"]
