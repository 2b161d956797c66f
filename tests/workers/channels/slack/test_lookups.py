from __future__ import annotations

from pathlib import Path

import pytest

from tests.workers.channels.slack.running_app import message, running
from workers.errors import SendFailed
from workers.messages import Action, Chat, Sender


def asked(name: str, chat: str = "C1", **fields: object) -> Action:
    return Action(name=name, key="k", chat=chat, **fields)  # type: ignore[arg-type]


async def test_a_chat_has_a_name(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        assert await app.plugin.chat(asked("chat")) == Chat("C1", "group", "room")
        assert await app.plugin.chat(asked("chat", "D1")) == Chat("D1", "direct")
        with pytest.raises(SendFailed) as found:
            await app.plugin.chat(asked("chat", "X1"))
        assert found.value.reason == "not_found"


async def test_members_come_in_pages(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        app.fake.channel("C1").members = [f"U{number}" for number in range(450)]
        found = await app.plugin.members(asked("members", limit=405))
        assert found == [Sender(f"U{number}", verified=True) for number in range(405)]
        assert app.app.calls["conversations.members"] == 3
        assert len(await app.plugin.members(asked("members"))) == 200


async def test_earlier_messages_are_returned(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        first = await app.say("one", "C1")
        await app.ctx.message("one")
        await app.say("<@UBOT1> two", "C1")
        sent = await app.plugin.send(message("three", "C1"))
        await app.plugin.send(message("in the thread", "C1", thread=first["ts"], key="k2"))
        found = await app.plugin.history(asked("history"))
        assert [each.text for each in found] == ["one", "@UBOT1 two", "three", "in the thread"]
        assert [each.sender.bot for each in found] == [False, False, True, True]
        assert not any(each.addressed for each in found)
        assert all(each.meta["history"] for each in found)
        earlier = await app.plugin.history(asked("history", before=sent.id, limit=1))
        assert [each.text for each in earlier] == ["@UBOT1 two"]
        thread = await app.plugin.history(asked("history", thread=first["ts"]))
        assert [each.text for each in thread] == ["one", "in the thread"]
        with pytest.raises(SendFailed, match="not the id"):
            await app.plugin.history(asked("history", before="x"))
