"""What a program hears whose tool sends a message while a process of the daemon is killed."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.daemon import TOKEN, Daemon
from tests.support.restarts import kill_gateway
from tests.support.until import PATIENCE, until
from workers.testing.fakes.telegram import ApiFault, FakeBot, FakeTelegram, fake_telegram

pytestmark = pytest.mark.e2e

KEY, BOT = "telegram:bot1", "1:AAtoken-of-a-fake-bot"
RIGHT = {"Authorization": f"Bearer {TOKEN}"}
CUT = (0, None, None)  # the connection ended without an answer


def configuration(fake: FakeTelegram, journal: str) -> dict[str, Any]:
    accounts = {"bot1": {"botToken": BOT, "journal": journal}}
    return {"channels": {"telegram": {"apiRoot": fake.root, "accounts": accounts}}}


async def send(daemon: Daemon, key: str) -> tuple[int, Any, str | None]:
    """Invoke the tool that sends a message; return the status, the body, and whether to retry."""
    args = {"channel": "telegram", "accountId": "bot1", "target": "7", "message": f"text of {key}"}
    body = {"tool": "message", "args": args, "sessionKey": "agent:main:main"}
    url = f"http://127.0.0.1:{daemon.port}/tools/invoke"
    limits = aiohttp.ClientTimeout(total=PATIENCE)
    headers = RIGHT | {"Idempotency-Key": key}
    try:
        async with (
            aiohttp.ClientSession(timeout=limits) as session,
            session.post(url, json=body, headers=headers) as answer,
        ):
            return answer.status, await answer.json(), answer.headers.get("x-should-retry")
    except aiohttp.ClientConnectionError:
        return CUT


async def sending(
    daemon: Daemon, bot: FakeBot, seconds: float
) -> asyncio.Future[tuple[int, Any, str | None]]:
    """Return the future of an answer, once the platform has the message and is slow with it."""
    await daemon.wait_phase(KEY, "running")
    bot.faults.append(ApiFault("sendMessage", slow=seconds))
    asking = asyncio.ensure_future(send(daemon, "k1"))
    await until(lambda: bot.calls["sendmessage"] == 1 or asking.done())
    assert not asking.done(), asking.result()
    return asking


def require_in_doubt(answer: tuple[int, Any, str | None]) -> None:
    status, body, again = answer
    assert (status, body["ok"], again) == (502, False, "false")
    assert body["error"]["type"] == "tool_error"
    assert body["error"]["details"]["maybeExecuted"] is True


@pytest.mark.parametrize("journal", ["on", "off"])
async def test_after_a_kill_of_the_gateway_the_same_key_gets_the_answer_of_one_message(
    tmp_path: Path, journal: str
) -> None:
    async with fake_telegram() as fake, Daemon(tmp_path, configuration(fake, journal)) as daemon:
        bot = fake.bot(BOT)
        asking = await sending(daemon, bot, 1.5)
        await kill_gateway(daemon)
        assert await asking == CUT
        status, body, _ = await send(daemon, "k1")
        assert (status, body["ok"]) == (200, True)
        assert body["result"]["details"]["messageId"]
        assert bot.texts == ["text of k1"]


@pytest.mark.parametrize("journal", ["on", "off"])
async def test_after_a_kill_of_the_worker_a_message_is_in_doubt_and_not_to_be_repeated(
    tmp_path: Path, journal: str
) -> None:
    async with fake_telegram() as fake, Daemon(tmp_path, configuration(fake, journal)) as daemon:
        bot = fake.bot(BOT)
        asking = await sending(daemon, bot, 30)
        pid = (await daemon.status())["accounts"][KEY]["pid"]
        os.kill(pid, signal.SIGKILL)
        answer = await asking
        require_in_doubt(answer)
        await daemon.wait(lambda status: status["accounts"][KEY]["pid"] not in (pid, None))
        await daemon.wait_phase(KEY, "running")
        if journal == "on":  # what was stored of it has the same answer for a week
            assert await send(daemon, "k1") == answer
            assert bot.calls["sendmessage"] == 1
        assert (await send(daemon, "k2"))[0] == 200  # another one is sent


async def test_after_a_kill_of_the_supervisor_a_message_is_in_doubt_and_not_sent_twice(
    tmp_path: Path,
) -> None:
    async with fake_telegram() as fake:
        bot = fake.bot(BOT)
        async with Daemon(tmp_path, configuration(fake, "on")) as daemon:
            asking = await sending(daemon, bot, 30)
            daemon.kill()
            assert await asking == CUT
        async with Daemon(tmp_path, configuration(fake, "on")) as daemon:
            await daemon.wait_phase(KEY, "running")
            require_in_doubt(await send(daemon, "k1"))
            assert bot.calls["sendmessage"] == 1
            assert (await send(daemon, "k2"))[0] == 200
