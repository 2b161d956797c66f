from __future__ import annotations

import asyncio
import io

import aiohttp
import pytest

from ipc.nesting import MAX_DEPTH
from tests.support.web_server import answering
from tests.workers.channels.telegram.running_bot import TOKEN, bot_api
from workers.channels.telegram.client import BotApi, Upload
from workers.channels.telegram.objects import User
from workers.channels.telegram.refusals import ApiRefusal
from workers.testing.fakes.telegram import ApiFault, fake_telegram
from workers.testing.ports import free_port
from workers.web.faults import NoAnswer, Unreachable


async def refused(api: BotApi, method: str = "getMe") -> ApiRefusal:
    with pytest.raises(ApiRefusal) as found:
        await api.call(method)
    return found.value


async def test_a_method_returns_its_result() -> None:
    async with fake_telegram() as fake, bot_api(f"{fake.root}/", TOKEN) as api:
        assert (await api.call("getMe", result=User)).id == 110


async def test_a_refusal_says_what_was_refused_and_what_is_asked_for() -> None:
    async with fake_telegram() as fake, bot_api(fake.root, TOKEN) as api:
        fake.bot(TOKEN).faults.append(ApiFault(code=429, description="slowly", retry_after=7))
        error = await refused(api)
        assert (error.code, error.parameters.retry_after) == (429, 7)
        assert str(error) == "Telegram refuses getMe: slowly (429)"
        fake.bot(TOKEN).revoked = True
        assert (await refused(api)).code == 401
        assert (await refused(api, "noSuchMethod")).code == 401


async def test_the_page_of_a_proxy_is_a_fault_of_the_server() -> None:
    async with fake_telegram() as fake, bot_api(fake.root, TOKEN) as api:
        fake.bot(TOKEN).faults.append(ApiFault(html=True))
        assert (await refused(api)).code == 502


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"ok": 1}',
        b'{"ok":true,"result":' + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1) + b"}",
        b'{"ok":true,"result":{"id":"no number"}}',
    ],
)
async def test_an_answer_of_something_else_is_understood_as_none(body: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, bot_api(f"http://127.0.0.1:{port}", TOKEN) as api:
        with pytest.raises((ApiRefusal, NoAnswer)) as found:
            await api.call("getMe", result=User)
        assert TOKEN not in str(found.value)


async def test_what_was_not_reached_is_told_apart_from_what_did_not_answer() -> None:
    async with fake_telegram() as fake, bot_api(fake.root, TOKEN) as api:
        fake.bot(TOKEN).faults.append(ApiFault(drop="after"))
        with pytest.raises(NoAnswer, match="getMe: the server closed the connection"):
            await api.call("getMe")
        fake.bot(TOKEN).faults.append(ApiFault(slow=5))
        with pytest.raises(NoAnswer, match="no answer in time"):
            await api.call("getMe", seconds=0.05)
    async with bot_api(f"http://127.0.0.1:{free_port()}", TOKEN) as api:
        with pytest.raises(Unreachable, match=r"Connection refused by 127\.0\.0\.1"):
            await api.call("getMe")
    async with bot_api("http://no-such-host.invalid", TOKEN) as api:
        with pytest.raises(Unreachable) as found:
            await api.call("getMe")
        assert TOKEN not in str(found.value)


async def test_a_redirect_does_not_carry_the_token_elsewhere() -> None:
    async def redirect(request: aiohttp.web.Request) -> aiohttp.web.Response:
        seen.append(request.path)
        return aiohttp.web.Response(status=307, headers={"Location": "/elsewhere"})

    seen: list[str] = []
    async with answering(redirect) as address, bot_api(f"http://{address}", TOKEN) as api:
        with pytest.raises(Unreachable, match="HTTP 307"):
            await api.call("getMe")
    assert len(seen) == 1


async def test_a_file_is_sent_as_a_form() -> None:
    async with fake_telegram() as fake, bot_api(fake.root, TOKEN) as api:
        params = {"chat_id": "7", "caption": "c"}
        await api.call(
            "sendPhoto",
            params,
            upload=Upload("photo", "a.png", "image/png", lambda: io.BytesIO(b"123")),
        )
        (sent,) = fake.bot(TOKEN).sent
        assert (sent["photo"], sent["caption"]) == ({"name": "a.png", "size": 3}, "c")
