"""When it is shown that an account types, and when no more."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ipc.frames.bootstrap import ChannelInfo
from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.journal.runs import ReplyTarget, Run, RunOrigin
from runtime.gateway.runs import typing
from runtime.gateway.runs.live import RunStep, RunUpdate
from runtime.gateway.runs.typing import TypingSigns
from tests.support.until import until

KEY = "telegram:one"


class Chat:
    """The signs of one chat, and what its account was asked."""

    def __init__(self, *actions: str) -> None:
        info = ChannelInfo("telegram", "Telegram", "", "", None, ["one"], list(actions))
        self.asked: list[dict[str, Any]] = []
        self.signs = TypingSigns(Accounts([info]), self.ask)

    def ask(self, key: str, method: str, params: bytes, seconds: float, waiter: Any) -> bool:
        assert (key, method) == (KEY, "action")
        self.asked.append(msgspec.json.decode(params))
        return True

    def step(self, run: str, step: RunStep, *, answered: bool = False, client: str = "") -> None:
        target, origin = ReplyTarget(KEY, "ada", "t1"), RunOrigin(client=client)
        made = Run(run, "agent:echo:main", "echo", origin, target, answer="NO_REPLY")
        self.signs.on_update(RunUpdate(step, KEY, made, 1, answered=answered))

    @property
    def shown(self) -> list[bool]:
        """For each time it was asked: whether it is to be shown."""
        return [not each.get("remove", False) for each in self.asked]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typing, "PATIENCE_SECONDS", 0.001)


async def test_it_is_shown_while_runs_of_the_chat_are_open_and_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(typing, "AGAIN_SECONDS", 0.001)
    chat = Chat("send", "typing")
    chat.step("1", "queued")
    chat.step("2", "queued")
    await until(lambda: len(chat.asked) >= 2)
    assert {(each["chat"], each["thread"]) for each in chat.asked} == {("ada", "t1")}
    assert len({each["key"] for each in chat.asked}) == len(chat.asked)
    chat.step("1", "merged")
    before = len(chat.asked)
    await until(lambda: len(chat.asked) > before)
    chat.step("2", "ended", answered=True)  # the answer itself ends it
    assert all(chat.shown)


async def test_it_is_taken_back_where_nothing_is_answered() -> None:
    chat = Chat("send", "typing")
    chat.step("1", "queued")
    await until(lambda: chat.asked)
    chat.step("1", "ended")
    assert chat.shown == [True, False]


async def test_an_answer_ends_it_for_a_moment_only_while_others_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(typing, "NEXT_SECONDS", 0.001)
    chat = Chat("send", "typing")
    chat.step("1", "queued")
    chat.step("2", "queued")
    await until(lambda: chat.asked)
    chat.step("1", "ended", answered=True)
    await until(lambda: len(chat.asked) == 2)
    assert chat.shown == [True, True]
    chat.signs.close()


async def test_what_is_answered_at_once_is_not_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typing, "PATIENCE_SECONDS", 60)
    chat = Chat("send", "typing")
    chat.step("1", "queued")
    chat.step("1", "ended", answered=True)
    assert chat.asked == []


@pytest.mark.parametrize("client", ["heartbeat", "cron", "hook"])
async def test_what_nobody_waits_for_is_not_announced(client: str) -> None:
    chat = Chat("send", "typing")
    chat.step("1", "queued", client=client)
    assert chat.signs._signs == {}  # a leak shows nowhere else
    chat.step("1", "ended", client=client)
    assert chat.asked == []


async def test_a_channel_that_cannot_show_it_is_not_asked() -> None:
    chat = Chat("send")
    chat.step("1", "queued")
    assert chat.signs._signs == {}  # a leak shows nowhere else
    chat.signs.close()
