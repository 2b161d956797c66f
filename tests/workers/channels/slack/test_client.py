from __future__ import annotations

import asyncio

import aiohttp
import pytest

from ipc.nesting import MAX_DEPTH
from tests.support.web_server import answering
from tests.workers.channels.slack.running_app import BOT_TOKEN, web_api
from workers.channels.slack.client import WebApi, form_of
from workers.channels.slack.objects import BotIdentity
from workers.channels.slack.refusals import SlackRefusal
from workers.testing.fakes.slack import fake_slack
from workers.testing.fakes.slack_apps import MethodFault
from workers.testing.ports import free_port
from workers.web.faults import NoAnswer, Unreachable


async def refused(api: WebApi, method: str = "auth.test") -> SlackRefusal:
    with pytest.raises(SlackRefusal) as found:
        await api.call(method)
    return found.value


async def test_a_method_has_a_result_and_the_token_its_scopes() -> None:
    async with fake_slack() as fake, web_api(f"{fake.root}/") as api:
        assert (await api.call("auth.test", result=BotIdentity)).user_id == "UBOT1"
        assert "chat:write" in api.scopes


async def test_a_refusal_has_its_code_and_what_is_asked_for() -> None:
    async with fake_slack() as fake, web_api(fake.root) as api:
        faults = fake.app(BOT_TOKEN).faults
        faults.append(MethodFault(retry_after=7))
        error = await refused(api)
        assert (error.error, error.retry_after) == ("ratelimited", 7)
        faults.append(MethodFault(error="missing_scope", needed="chat:write"))
        error = await refused(api)
        assert error.needed == "chat:write"
        assert str(error) == (
            "Slack refuses auth.test: the token lacks the scope chat:write (missing_scope)"
        )
        assert (await refused(api, "no.such")).error == "unknown_method"


@pytest.mark.parametrize(
    ("asked", "waited"), [("7", 7), ("9" * 400, 86_400), ("\u0663", 30), ("soon", 30), (None, 30)]
)
async def test_a_limit_is_waited_for_at_most_a_day(asked: str | None, waited: float) -> None:
    async def answer(request: aiohttp.web.Request) -> aiohttp.web.Response:
        headers = {} if asked is None else {"Retry-After": asked}
        return aiohttp.web.Response(status=429, headers=headers)

    async with answering(answer) as address, web_api(f"http://{address}/") as api:
        assert (await refused(api)).retry_after == waited


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"<html>",
        b'{"ok": 1}',
        b'{"ok":true,"x":' + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1) + b"}",
        b'{"ok":true,"team_id":"T1","user_id":5}',
    ],
)
async def test_an_answer_of_something_else_is_none(body: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, web_api(f"http://127.0.0.1:{port}") as api:
        with pytest.raises(NoAnswer) as found:
            await api.call("auth.test", result=BotIdentity)
        assert BOT_TOKEN not in str(found.value)


async def test_what_was_not_reached_is_told_apart_from_what_did_not_answer() -> None:
    async with fake_slack() as fake, web_api(fake.root) as api:
        fake.app(BOT_TOKEN).faults.append(MethodFault(drop="after"))
        with pytest.raises(NoAnswer, match=r"auth\.test: the server closed"):
            await api.call("auth.test")
        fake.app(BOT_TOKEN).faults.append(MethodFault(slow=5))
        with pytest.raises(NoAnswer, match="no answer in time"):
            await api.call("auth.test", seconds=0.05)
    async with web_api(f"http://127.0.0.1:{free_port()}") as api:
        with pytest.raises(Unreachable, match=r"Connection refused by 127\.0\.0\.1"):
            await api.call("auth.test")


async def test_a_redirect_does_not_carry_the_token_elsewhere() -> None:
    async def redirect(request: aiohttp.web.Request) -> aiohttp.web.Response:
        seen.append(request.path)
        return aiohttp.web.Response(status=307, headers={"Location": "/elsewhere"})

    seen: list[str] = []
    async with answering(redirect) as address, web_api(f"http://{address}") as api:
        with pytest.raises(Unreachable, match="HTTP 307"):
            await api.call("auth.test")
    assert seen == ["/api/auth.test"]


def test_parameters_are_sent_as_a_form() -> None:
    params = {"text": "a", "mrkdwn": False, "limit": 5, "blocks": [{"type": "x"}], "thread": None}
    assert form_of(params) == {
        "text": "a",
        "mrkdwn": "false",
        "limit": "5",
        "blocks": '[{"type":"x"}]',
    }
