"""Hooks over HTTP, with the answers of OpenClaw."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from ipc.websocket.client import Client
from runtime.gateway.http import endpoints
from runtime.gateway.http.hooks import completion_of
from runtime.gateway.journal.runs import ReplyTarget
from tests.support.conversations import asked
from tests.support.gateway_rig import SESSION, TOKEN, GatewayRig, gateway_rig
from tests.support.rig_agent import HeldAgent, held_agent
from tests.support.until import until

RIGHT = {"Authorization": "Bearer hook-secret"}
HOOKS: dict[str, Any] = {
    "enabled": True,
    "token": "hook-secret",
    "mappings": [
        {
            "match": {"path": "github"},
            "action": "wake",
            "textTemplate": "{{sender.login}}: {{headers.x-event}} {{title}}",
        },
        {"match": {"path": "broken"}, "action": "dance"},
    ],
}


class HookRig:
    """A gateway with hooks."""

    def __init__(self, rig: GatewayRig, agent: HeldAgent, session: aiohttp.ClientSession) -> None:
        self.rig, self.agent, self._session = rig, agent, session

    async def post(
        self, path: str, body: Any = None, headers: dict[str, str] | None = None, **more: Any
    ) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.rig.port}{path}"
        given = RIGHT if headers is None else headers
        data = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self._session.request(
            more.get("method", "POST"), url, headers=given, **data
        ) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def hook_rig(**more: Any) -> AsyncIterator[HookRig]:
    async with (
        gateway_rig(agents="echo", http={"enabled": True}) as rig,
        aiohttp.ClientSession() as session,
    ):
        agent = await held_agent(rig)
        follower = await rig.client()  # what its requests make is held against OpenClaw's schema
        await follower.call("sessions.subscribe")
        await rig.report(hooks=HOOKS | more)
        yield HookRig(rig, agent, session)


async def test_a_hook_wakes_an_agent_and_gives_it_turns_once_for_each_key() -> None:
    async with hook_rig() as hooks:
        status, text = await hooks.post("/hooks/wake", {"text": "x", "mode": "next-heartbeat"})
        assert (status, text) == (
            200,
            '{"ok":true,"mode":"next-heartbeat","eventOutcome":"queued"}',
        )
        keyed = RIGHT | {"Idempotency-Key": "k"}
        first = await hooks.post("/hooks/agent", {"message": "look", "deliver": False}, keyed)
        again = await hooks.post("/hooks/agent", {"message": "look", "deliver": False}, keyed)
        other = await hooks.post("/hooks/agent", {"message": "else", "deliver": False}, keyed)
        assert (first, other[0]) == (again, 409)
        await until(lambda: hooks.agent.asked)
        (turn,) = hooks.agent.asked
        assert turn["text"] == "look"
        assert turn["session"] == f"agent:echo:hook:{turn['run']}"
        assert first == (200, f'{{"ok":true,"runId":"{turn["run"]}"}}')
        assert hooks.rig.parts.hooks.counts["accepted"] == 3


async def test_a_mapping_makes_a_text_and_a_bad_one_spoils_itself_alone() -> None:
    async with hook_rig() as hooks:
        body = {"sender": {"login": "ada"}, "title": "{{headers.authorization}}"}
        status, _ = await hooks.post("/hooks/github", body, RIGHT | {"X-Event": "push"})
        assert status == 200
        await until(lambda: hooks.agent.asked)
        # What a request brings in is no template.
        assert "ada: push {{headers.authorization}}" in hooks.agent.asked[0]["text"]
        assert await hooks.post("/hooks/broken", {}) == (
            500,
            '{"ok":false,"error":"hook mapping failed"}',
        )
        assert await hooks.post("/hooks/none", {}) == (404, "Not Found")


async def test_a_header_that_is_no_text_is_stored_as_far_as_it_is_readable() -> None:
    async with hook_rig() as hooks:
        reader, writer = await asyncio.open_connection("127.0.0.1", hooks.rig.port)
        lines = ["POST /hooks/github HTTP/1.1", "Host: localhost", "Connection: close"]
        lines += ["Authorization: Bearer hook-secret", "Content-Length: 2", "X-Event: "]
        writer.write("\r\n".join(lines).encode() + b"pu\xffsh\r\n\r\n{}")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await until(lambda: hooks.agent.asked)
        assert "pu\ufffdsh" in hooks.agent.asked[0]["text"]


async def test_who_has_no_right_token_is_refused_before_the_body_is_read() -> None:
    async with hook_rig() as hooks:
        wrong = {"Authorization": f"Bearer {TOKEN}"}
        assert await hooks.post("/hooks/wake", {"text": "x"}, wrong) == (401, "Unauthorized")
        assert (await hooks.post("/hooks/wake?token=hook-secret", {"text": "x"}, {}))[0] == 400
        assert (await hooks.post("/hooks/wake", method="GET"))[0] == 405
        large = b'{"text":"%b"}' % (b"x" * (256 * 1024))
        assert await hooks.post("/hooks/wake", large) == (
            413,
            '{"ok":false,"error":"payload too large"}',
        )
        for _ in range(20):
            last = await hooks.post("/hooks/wake", {"text": "x"}, wrong)
        assert last == (429, "Too Many Requests")
        right = {"X-OpenClaw-Token": "hook-secret"}
        assert (await hooks.post("/hooks/wake", {"text": "x", "mode": "now"}, right))[0] == 200
        assert hooks.rig.parts.hooks.counts["throttled"] >= 1


async def test_a_body_whose_sender_goes_is_refused() -> None:
    async with hook_rig() as hooks:
        _, writer = await asyncio.open_connection("127.0.0.1", hooks.rig.port)
        lines = ["POST /hooks/wake HTTP/1.1", "Host: localhost", "Content-Length: 12"]
        writer.write("\r\n".join([*lines, "Authorization: Bearer hook-secret", "", "{"]).encode())
        await hooks.post("/hooks/none", {})  # meanwhile the first part is read
        refused = hooks.rig.parts.hooks.counts["refused"]
        writer.transport.abort()
        await until(lambda: hooks.rig.parts.hooks.counts["refused"] == refused + 1)


@pytest.mark.parametrize(
    ("line", "first", "rest", "status"),
    [
        ("Content-Length: 12", b"{", b'"text":"x"}', b"HTTP/1.1 200 "),
        (
            "Content-Length: 12\r\nExpect: 100-continue",
            b"",
            b'{"text":"x"}',
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ",
        ),
        ("Content-Length: 12\r\nExpect: tea", b"", b"", b"HTTP/1.1 417 "),
    ],
)
async def test_a_body_may_come_in_pieces_and_when_it_is_asked_for(
    line: str, first: bytes, rest: bytes, status: bytes
) -> None:
    async with hook_rig() as hooks:
        reader, writer = await asyncio.open_connection("127.0.0.1", hooks.rig.port)
        lines = ["POST /hooks/wake HTTP/1.1", "Host: localhost", "Connection: close"]
        lines += ["Authorization: Bearer hook-secret", line, "", ""]
        writer.write("\r\n".join(lines).encode() + first)
        await hooks.post("/hooks/none", {})  # meanwhile the first part is read
        writer.write(rest)
        answer = await reader.read()
        writer.close()
        assert answer.startswith(status)


async def test_hooks_that_are_off_are_not_there() -> None:
    async with hook_rig(enabled=False) as hooks:
        assert await hooks.post("/hooks/wake", {"text": "x"}) == (404, "Not Found")


async def test_a_request_may_wait_for_the_end_of_its_turn() -> None:
    run = asked("r", reply=None, state="final", answer="done")
    assert completion_of(run) == {
        "status": "ok",
        "replyDisposition": "visible",
        "delivered": False,
        "deliveryAttempted": False,
    }
    failed = asked("r", reply=ReplyTarget("irc:one", "ada"), state="error", answer="")
    assert (completion_of(failed)["status"], completion_of(failed)["delivered"]) == ("error", False)


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}])
async def test_who_waits_for_a_turn_is_answered_when_the_gateway_ends(key: dict[str, str]) -> None:
    async with hook_rig() as hooks:
        body = {"message": "look", "deliver": False, "waitForCompletion": True}
        asking = asyncio.ensure_future(hooks.post("/hooks/agent", body, RIGHT | key))
        await until(lambda: hooks.agent.asked)
        await hooks.post("/hooks/none", {})  # meanwhile it begins to wait
        hooks.rig.parts.runs.close()
        status, text = await asking
        if key:
            assert (status, "with the same Idempotency-Key" in text) == (503, True)
        else:
            assert (status, text) == (200, f'{{"ok":true,"runId":"{hooks.agent.asked[0]["run"]}"}}')


async def test_a_hook_that_comes_before_the_first_report_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with (
        gateway_rig(supervisor=False, agents="echo", http={"enabled": True}) as rig,
        aiohttp.ClientSession(f"http://127.0.0.1:{rig.port}", headers=RIGHT) as session,
    ):
        wake: Any = {"json": {"text": "x", "mode": "next-heartbeat"}}
        monkeypatch.setattr(endpoints, "WAIT_SECONDS", 0.01)
        async with session.post("/hooks/wake", **wake) as early:
            assert (early.status, early.headers["Retry-After"]) == (503, "1")
        monkeypatch.undo()
        waiting = asyncio.ensure_future(session.post("/hooks/wake", **wake))
        rig.supervisor = await Client.connect(rig.url, token=SESSION, on_event=rig.on_event)
        await rig.report(whole=True, hooks=HOOKS)
        async with await waiting as answer:
            assert answer.status == 200
