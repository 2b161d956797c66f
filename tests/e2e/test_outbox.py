"""Kills of every process at every stage of a send: what a platform gets once, it gets once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ipc.errors import IpcError
from tests.support.daemon import Daemon
from tests.support.restarts import kill_gateway
from workers.testing.fakes.telegram import ApiFault, FakeBot, FakeTelegram, fake_telegram

pytestmark = pytest.mark.e2e

KEY, TOKEN = "telegram:bot1", "1:AAtoken-of-a-fake-bot"
LONG = "\n\n".join(f"part {number} " + "x" * 4000 for number in range(1, 4))


def configuration(fake: FakeTelegram, **account: Any) -> dict[str, Any]:
    accounts = {"bot1": {"botToken": TOKEN} | account}
    channels = {"telegram": {"apiRoot": fake.root, "accounts": accounts}}
    queue = {"mode": "followup", "cap": 1000}
    return {"agents": {"default": "echo"}, "queue": queue, "channels": channels}


def seen(bot: FakeBot) -> list[str]:
    """Return what people have seen, each text by its first words."""
    return [" ".join(text.split()[:2]) for text in bot.texts]


async def kill_worker(daemon: Daemon) -> None:
    row = (await daemon.status())["accounts"][KEY]
    os.kill(row["pid"], signal.SIGKILL)
    await daemon.wait(lambda status: status["accounts"][KEY]["pid"] != row["pid"])


async def ask(daemon: Daemon, method: str, **params: Any) -> Any:
    async with daemon.reconnecting() as client:
        return await client.call(method, params)


async def letters(daemon: Daemon) -> list[dict[str, Any]]:
    return list((await ask(daemon, "deadletters.list"))["letters"])


async def queue(daemon: Daemon, key: str, text: str, chat: str = "7") -> None:
    where = {"channel": "telegram", "accountId": "bot1", "to": chat}
    answer = await ask(daemon, "send", message=text, idempotencyKey=key, queue=True, **where)
    assert answer["status"] == "queued"


async def test_a_kill_of_the_gateway_sends_nothing_twice_and_loses_nothing(tmp_path: Path) -> None:
    async with fake_telegram() as fake, Daemon(tmp_path, configuration(fake)) as daemon:
        bot = fake.bot(TOKEN)
        await daemon.wait_phase(KEY, "running")
        # Under way at the platform, between parts, and waiting behind in the same chat.
        bot.faults.append(ApiFault("sendMessage", slow=1.5))
        await queue(daemon, "k1", "first one")
        await queue(daemon, "k2", LONG)
        await queue(daemon, "k3", "third one", chat="8")
        await fake.until(lambda: bot.calls["sendmessage"] >= 1, 20)
        await kill_gateway(daemon)
        await fake.until(lambda: "part 1" in seen(bot), 40)
        await kill_gateway(daemon)
        await fake.until(lambda: len(seen(bot)) >= 5, 40)
        await queue(daemon, "k1", "first one")  # known, whatever has died since
        await queue(daemon, "k4", "last one")
        await fake.until(lambda: "last one" in seen(bot), 40)
        assert Counter(seen(bot)) == Counter(
            ["first one", "part 1", "part 2", "part 3", "third one", "last one"]
        )
        of_chat = [text for text in seen(bot) if text != "third one"]
        assert of_chat == ["first one", "part 1", "part 2", "part 3", "last one"]
        assert await letters(daemon) == []


async def test_a_kill_of_the_worker_leaves_one_message_of_a_chat_in_doubt(tmp_path: Path) -> None:
    async with fake_telegram() as fake, Daemon(tmp_path, configuration(fake)) as daemon:
        bot = fake.bot(TOKEN)
        await daemon.wait_phase(KEY, "running")
        bot.faults.append(ApiFault("sendMessage", slow=30))  # the platform has it, and is slow
        for number in range(1, 4):
            await queue(daemon, f"k{number}", f"message {number}")
        await fake.until(lambda: bot.calls["sendmessage"] == 1, 20)
        await kill_worker(daemon)
        await fake.until(lambda: {"message 2", "message 3"} <= set(seen(bot)), 60)
        (letter,) = await letters(daemon)
        assert (letter["idempotencyKey"], letter["state"]) == ("k1", "unknown")
        assert max(Counter(seen(bot)).values()) == 1
        code, _, error = await daemon.command("deadletters", "retry", letter["id"])
        assert code == 0, error
        await fake.until(lambda: "message 1" in seen(bot), 40)
        assert Counter(seen(bot)) == Counter(["message 1", "message 2", "message 3"])
        assert await letters(daemon) == []


async def test_a_kill_of_everything_sends_what_was_accepted_and_nothing_twice(
    tmp_path: Path,
) -> None:
    async with fake_telegram() as fake:
        bot = fake.bot(TOKEN)
        async with Daemon(tmp_path, configuration(fake)) as daemon:
            await daemon.wait_phase(KEY, "running")
            await queue(daemon, "k1", "before it")
            await fake.until(lambda: seen(bot) == ["before it"], 30)
            bot.faults.append(ApiFault("sendMessage", slow=30))
            await queue(daemon, "k2", "under way")
            await queue(daemon, "k3", "behind it")
            await fake.until(lambda: bot.calls["sendmessage"] == 2, 20)
            daemon.kill()
        async with Daemon(tmp_path, configuration(fake)) as daemon:
            await daemon.wait_phase(KEY, "running")
            await fake.until(lambda: "behind it" in seen(bot), 40)
            await queue(daemon, "k1", "before it")
            (letter,) = await letters(daemon)
            assert (letter["idempotencyKey"], letter["state"]) == ("k2", "unknown")
            assert Counter(seen(bot)) == Counter(["before it", "behind it"])
    journal = sqlite3.connect(tmp_path / "state" / "journal.db")
    states = dict(journal.execute("SELECT key, state FROM outgoing").fetchall())
    journal.close()
    assert states == {"k1": "sent", "k2": "unknown", "k3": "sent"}


async def test_an_answer_that_got_lost_is_in_doubt_and_not_sent_again(tmp_path: Path) -> None:
    async with fake_telegram() as fake, Daemon(tmp_path, configuration(fake)) as daemon:
        bot = fake.bot(TOKEN)
        await daemon.wait_phase(KEY, "running")
        bot.faults.append(ApiFault("sendMessage", drop="after"))
        await fake.say(TOKEN, "hello")  # the echo answers
        await fake.until(lambda: seen(bot) == ["echo: hello"], 30)
        await fake.say(TOKEN, "again")
        await fake.until(lambda: "echo: again" in seen(bot), 30)
        (letter,) = await letters(daemon)
        assert (letter["state"], letter["origin"]) == ("unknown", "agent")
        await kill_gateway(daemon)
        assert await letters(daemon) == [letter]
        assert seen(bot) == ["echo: hello", "echo: again"]


async def test_what_waits_for_the_platform_is_tried_again_by_the_next_gateway(
    tmp_path: Path,
) -> None:
    async with fake_telegram() as fake, Daemon(tmp_path, configuration(fake)) as daemon:
        bot = fake.bot(TOKEN)
        await daemon.wait_phase(KEY, "running")
        bot.faults.append(ApiFault("sendMessage", code=429, retry_after=4))
        await queue(daemon, "k1", "too fast")
        await fake.until(lambda: bot.calls["sendmessage"] == 1, 20)
        began = asyncio.get_running_loop().time()
        await kill_gateway(daemon)
        await fake.until(lambda: seen(bot) == ["too fast"], 40)
        assert asyncio.get_running_loop().time() - began > 2.5
        assert bot.calls["sendmessage"] == 2


@pytest.mark.parametrize(
    ("killed", "ambiguous", "copies", "state"),
    [
        ("worker", "ask", 1, "unknown"),
        ("gateway", "ask", 1, "sent"),  # the living worker is asked
        pytest.param("worker", "retry", 2, "sent", marks=pytest.mark.slow),
        pytest.param("worker", "drop", 1, "unknown", marks=pytest.mark.slow),
    ],
)
async def test_a_kill_between_the_answer_of_the_platform_and_its_record(
    tmp_path: Path, killed: str, ambiguous: str, copies: int, state: str
) -> None:
    async with fake_telegram() as fake:
        bot = fake.bot(TOKEN)
        async with Daemon(tmp_path, configuration(fake, ambiguous=ambiguous)) as daemon:
            await daemon.wait_phase(KEY, "running")
            status = await daemon.status()
            pid = (status["accounts"][KEY] if killed == "worker" else status["gateway"])["pid"]
            bot.faults.append(ApiFault("sendMessage", kills=pid))
            with contextlib.suppress(IpcError):  # the gateway may be gone before it answers
                await queue(daemon, "k1", "the one")
            await fake.until(lambda: seen(bot), 30)
            await daemon.wait(lambda status: status["gateway"]["connected"])
            await queue(daemon, "k2", "behind it")
            await fake.until(lambda: "behind it" in seen(bot), 60)
            assert Counter(seen(bot)) == {"the one": copies, "behind it": 1}
            found = [each["idempotencyKey"] for each in await letters(daemon)]
            assert found == (["k1"] if (killed, ambiguous) == ("worker", "ask") else [])
            assert daemon.end() == 0
    journal = sqlite3.connect(tmp_path / "state" / "journal.db")
    states = dict(journal.execute("SELECT key, state FROM outgoing").fetchall())
    journal.close()
    assert states == {"k1": state, "k2": "sent"}
