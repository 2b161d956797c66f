"""``openclaw message`` against our gateway: every action that a channel of ours can carry out.

Telegram's is OpenClaw's own plugin, which leaves everything to the gateway; the channels that the
npm package does not bring are those of the plugin beside this file.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.interop.openclaw import Answer, Openclaw
from tests.support.daemon import TOKEN, Daemon
from tests.support.person import talking
from tests.workers.channels.webhook.peer import SECRET
from workers.testing.fakes.discord import fake_discord
from workers.testing.fakes.discord_bots import token_of
from workers.testing.fakes.telegram import fake_telegram

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]

BOT = "1:AAtoken-of-a-fake-bot"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63646060"
    "f80f00020401015d1d0a1a0000000049454e44ae426082"
)


YES = {"type": "buttons", "buttons": [{"label": "Yes", "value": "cmd:yes"}]}
CARD = {"blocks": [{"type": "text", "text": "Ready?"}, YES]}


class MessageCommands:
    """``openclaw message`` for one gateway."""

    def __init__(self, folder: Path, home: Path, daemon: Daemon) -> None:
        self.program = Openclaw(folder, home, f"ws://127.0.0.1:{daemon.port}", TOKEN)
        self.program.configure()

    async def run(self, channel: str, action: str, *words: str) -> Answer:
        """Run one action for a channel."""
        words = ("message", action, "--channel", channel, "--json", *words)
        return await self.program.run(*words, env=self.program.variables)

    async def done(self, channel: str, action: str, *words: str) -> dict[str, Any]:
        """Run one action, which succeeds; return what the gateway has answered."""
        answer = await self.run(channel, action, *words)
        assert answer.code == 0, answer
        payload: dict[str, Any] = answer.json["payload"]
        return payload

    async def refused(self, words: str, channel: str, action: str, *more: str) -> None:
        """Run one action, which is refused with these words."""
        answer = await self.run(channel, action, *more)
        assert answer.code == 1, answer
        assert words in answer.json["error"]["message"], answer


async def test_openclaws_own_plugin_of_telegram_acts_through_a_bot_of_ours(
    folder: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    picture = tmp_path / "a picture.png"
    picture.write_bytes(PIXEL)
    async with fake_telegram() as fake:
        telegram = {"apiRoot": fake.root, "accounts": {"bot1": {"botToken": BOT}}}
        config = {"channels": {"telegram": telegram}, "media": {"allow": [str(tmp_path)]}}
        async with Daemon(tmp_path, config) as daemon:
            await daemon.wait_phase("telegram:bot1", "running")
            await fake.say(BOT, "hello", chat=777)  # number 1
            commands = MessageCommands(folder, tmp_path_factory.mktemp("openclaw"), daemon)
            own = {"channels": {"telegram": {"enabled": True, "botToken": BOT}}}
            (commands.program.home / "openclaw.json").write_text(json.dumps(own))

            here = ("--target", "777")
            sent = await commands.done("telegram", "send", *here, "--message", "from afar")
            gone = await commands.done("telegram", "send", *here, "--message", "to be deleted")
            poll = ("--poll-question", "Lunch?", "--poll-option", "Pizza", "--poll-option", "Sushi")
            named = ("--message-id", gone["messageId"])
            reply = ("--reply-to", "1", "--silent", "--message", "so it is")
            everywhere = ("--targets", "777", "778", "--message", "to all")
            results = await asyncio.gather(
                commands.done("telegram", "react", *here, "--message-id", "1", "--emoji", "👍"),
                commands.done("telegram", "poll", *here, *poll, "--poll-duration-seconds", "120"),
                commands.done("telegram", "delete", *here, *named),
                commands.done(
                    *("telegram", "edit", *here, "--message", "better"),
                    *("--message-id", sent["messageId"].rpartition("/")[2]),
                ),
                commands.done("telegram", "send", *here, *reply),
                commands.done("telegram", "send", *here, "--media", str(picture)),
                commands.done("telegram", "broadcast", *everywhere),
                commands.done("telegram", "send", *here, "--presentation", json.dumps(CARD)),
                commands.refused("does not support action history", "telegram", "read", *here),
                commands.refused("does not support action pin", "telegram", "pin", *here, *named),
            )
            assert [each["ok"] for each in results if each and "ok" in each] == [True] * 7
            bot = fake.bot(BOT)
            by_method: dict[str, list[dict[str, Any]]] = {}
            for each in bot.sent:
                by_method.setdefault(each["method"], []).append(each)
            (reaction,) = by_method["setmessagereaction"]
            assert (reaction["chat_id"], reaction["message_id"]) == ("777", 1)
            (asked,) = by_method["sendpoll"]
            assert (asked["question"], asked["open_period"]) == ("Lunch?", 120)
            (edit,) = by_method["editmessagetext"]
            assert (f"777/{edit['message_id']}", edit["text"]) == (sent["messageId"], "better")
            (deleted,) = by_method["deletemessage"]
            assert f"777/{deleted['message_id']}" == gone["messageId"]
            (answered,) = [each for each in by_method["sendmessage"] if each["shown"] == "so it is"]
            assert answered["reply_parameters"]["message_id"] == 1
            assert answered["disable_notification"] is True
            told = [each["chat_id"] for each in by_method["sendmessage"] if "to all" in str(each)]
            assert sorted(told) == ["777", "778"]
            assert len(by_method["sendphoto"]) == 1
            (card,) = [each for each in by_method["sendmessage"] if each["shown"] == "Ready?"]
            ((button,),) = card["reply_markup"]["inline_keyboard"]
            assert (button["text"], button["callback_data"]) == ("Yes", "cmd:yes")


async def test_other_channels_do_what_they_can(
    folder: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    posted: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        posted.append(json.loads(await request.read())["data"])
        return web.json_response({"id": f"hook{len(posted)}"})

    hook = web.Application()
    hook.router.add_post("/in", take)
    token = token_of("10")
    async with TestServer(hook) as server, fake_discord() as discord:
        ci = {"url": str(server.make_url("/in")), "allowPrivate": True, "secret": SECRET}
        bot = {"apiRoot": discord.root, "accounts": {"bot1": {"token": token}}}
        config = {
            "channels": {
                "local": {"accounts": {"desk": {}}},
                "webhook": {"accounts": {"ci": ci}},
                "discord": bot,
            }
        }
        async with Daemon(tmp_path, config) as daemon:
            for key in ("local:desk", "webhook:ci", "discord:bot1"):
                await daemon.wait_phase(key, "running")
            async with talking(daemon, "desk") as ada:
                ada.says("/nick ada")
                await ada.hears(1)
                commands = MessageCommands(folder, tmp_path_factory.mktemp("openclaw"), daemon)
                await _acted(commands, discord.bot(token).general)
                lines = await ada.hears(4)
            assert lines[0] == "hello ada"
            changes = ["(deleted m-1)", "(edited m-1) better", "(reacted 👍 to m-1)"]
            assert sorted(lines[1:]) == changes
            polls = {each["text"]: each.get("poll", {}).get("seconds") for each in posted}
            assert polls == {"": 7200, "hi hook": None}
            assert [each["content"] for each in discord.bot(token).sent] == ["hi discord"]


async def _acted(commands: MessageCommands, room: str) -> None:
    """Carry out what local, webhook and discord can; ``room`` is a channel of Discord's."""
    ada = ("--target", "ada")
    await commands.done("local", "send", *ada, "--message", "hello ada")
    known = (*ada, "--message-id", "m-1")
    poll = ("--poll-question", "Lunch?", "--poll-option", "Pizza", "--poll-option", "Sushi")
    general = ("--target", f"channel:{room}")
    await asyncio.gather(
        commands.done("local", "react", *known, "--emoji", "👍"),
        commands.done("local", "edit", *known, "--message", "better"),
        commands.done("local", "delete", *known),
        commands.done("local", "read", *known),
        commands.done("webhook", "send", "--target", "ann", "--message", "hi hook"),
        commands.done("webhook", "poll", "--target", "ann", *poll, "--poll-duration-hours", "2"),
        commands.done("discord", "send", *general, "--message", "hi discord"),
    )
    read = await commands.done("discord", "read", *general, "--limit", "5")
    assert [each["text"] for each in read["messages"]] == ["hi discord"]
