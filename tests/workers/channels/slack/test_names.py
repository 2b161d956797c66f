from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.workers.channels.slack.running_app import BOT_TOKEN, running, web_api
from workers.channels.slack import names
from workers.channels.slack.names import MOST_WANTED, PAUSE, PAUSE_OFFLINE, SlackNames
from workers.messages import Chat, Happened, Inbound, Sender
from workers.testing.fakes.slack import FakeSlack, fake_slack
from workers.testing.fakes.slack_apps import FakeApp, MethodFault


def said(sender: str = "U1", chat: str = "C1", title: str | None = None) -> Inbound:
    kind = "direct" if chat.startswith("D") else "group"
    return Inbound("1", Chat(chat, kind, title), Sender(sender, verified=True), "x", 1)  # type: ignore[arg-type]


class NamesUnderTest:
    """The names, the fake that knows them, and the pauses that were made."""

    def __init__(self, fake: FakeSlack) -> None:
        self.fake = fake
        self.warnings: list[str] = []
        self.pauses: list[float] = []
        self.names: SlackNames

    @property
    def app(self) -> FakeApp:
        return self.fake.app(BOT_TOKEN)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await self.fake.notify()

    async def paused(self, times: int) -> None:
        """Wait until so many questions were asked."""
        await self.fake.until(lambda: len(self.pauses) >= times)

    def known(self, sender: str = "U1", chat: str = "C1") -> tuple[str | None, str | None]:
        found = self.names.named(said(sender, chat))
        return found.sender.name, found.chat.title


@asynccontextmanager
async def looking_up() -> AsyncIterator[NamesUnderTest]:
    async with fake_slack() as fake, web_api(fake.root) as api:
        test = NamesUnderTest(fake)
        test.names = SlackNames(api, test.warnings.append, sleep=test.sleep)
        task = asyncio.create_task(test.names.resolve_all())
        try:
            yield test
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_a_name_is_absent_at_first_and_there_afterwards() -> None:
    async with looking_up() as test:
        assert test.known() == (None, None)
        await test.paused(2)
        assert test.known() == ("Ada", "room")
        assert test.known(chat="D1") == ("Ada", None), "a direct conversation has no name"
        assert (test.app.calls["users.info"], test.app.calls["conversations.info"]) == (1, 1)
        assert test.pauses == [PAUSE, PAUSE]


async def test_what_has_a_name_keeps_it_and_teaches_that_of_a_chat() -> None:
    async with looking_up() as test:
        bot = Sender("B7", "builder", bot=True)
        news = Happened("chat", Chat("C1", "group", "renamed"), 1, sender=bot)
        assert test.names.named(news) is news
        assert test.known("B7") == (None, "renamed")
        assert not test.app.calls, "of a bot that is no member nothing is asked"


async def test_an_unknown_person_is_asked_for_once() -> None:
    async with looking_up() as test:
        for _ in range(3):
            assert test.known("U404", "D1") == (None, None)
            await test.paused(1)
        assert test.app.calls["users.info"] == 1


async def test_the_limit_of_the_platform_is_kept() -> None:
    async with looking_up() as test:
        test.app.faults.append(MethodFault("users.info", retry_after=30))
        test.known(chat="D1")
        await test.paused(2)
        assert test.pauses == [30.0, PAUSE]
        assert test.known(chat="D1") == ("Ada", None)


async def test_without_the_scope_it_is_said_once_and_nothing_is_asked() -> None:
    async with looking_up() as test:
        test.app.faults.append(MethodFault("users.info", "missing_scope", needed="users:read"))
        test.known("U1", "D1")
        test.known("U2", "D1")
        await test.paused(1)
        test.known("U3", "D1")
        test.known("U3", "C1")
        await test.paused(2)
        assert test.app.calls["users.info"] == 1
        assert [each for each in test.warnings if "users:read" in each] == test.warnings
        assert len(test.warnings) == 1
        assert test.known("U3") == (None, "room"), "other names are not concerned"


async def test_lookups_wait_during_an_outage() -> None:
    async with looking_up() as test:
        test.fake.down = True
        test.known(chat="D1")
        await test.paused(1)
        assert test.pauses == [PAUSE_OFFLINE]
        test.fake.down = False
        test.known(chat="D1")
        await test.paused(2)
        assert test.known(chat="D1") == ("Ada", None)


async def test_the_number_of_remembered_names_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "MOST_KNOWN", 3)
    async with looking_up() as test:
        for number in range(5):
            test.names.named(said(chat=f"C{number}", sender="B1", title=f"n{number}"))
        titles = [test.known("B1", f"C{number}")[1] for number in range(5)]
        assert titles == [None, None, "n2", "n3", "n4"]
    async with fake_slack() as fake, web_api(fake.root) as api:
        idle = SlackNames(api, list[str]().append)
        for number in range(MOST_WANTED + 50):
            idle.named(said(f"U{number}", "D1"))
        assert len(idle._wanted) == MOST_WANTED  # a leak shows nowhere else


async def test_an_old_name_is_used_and_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with looking_up() as test:
        test.known(chat="D1")
        await test.paused(1)
        test.fake.people["U1"] = "Ada Lovelace"
        monkeypatch.setattr(names, "FRESH_SECONDS", -1.0)
        assert test.known(chat="D1") == ("Ada", None)
        await test.paused(2)
        assert test.known(chat="D1") == ("Ada Lovelace", None)


async def test_no_message_waits_for_a_name(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        app.app.faults.append(MethodFault("users.info", slow=600.0))
        await app.say("one")
        await app.say("two")
        heard = await app.ctx.message("two")
        assert heard.sender.name is None
    async with running(tmp_path) as app:
        await app.say("one", "D1")
        await app.fake.until(lambda: app.app.calls["users.info"])
        while (await app.say("again")) and (await app.ctx.message("again")).sender.name is None:
            app.ctx.emitted.clear()
        assert app.ctx.emitted[-1].sender == Sender("U1", "Ada", verified=True)
