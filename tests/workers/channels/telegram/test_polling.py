from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.workers.channels.telegram.running_bot import TOKEN, running
from workers.channels.telegram import polling
from workers.channels.telegram.objects import Parameters
from workers.channels.telegram.polling import OLDEST_CURSOR, offset_of, pause_after
from workers.channels.telegram.refusals import ApiRefusal
from workers.errors import NeedsLogin
from workers.testing.fakes.telegram import ApiFault
from workers.web.faults import NoAnswer, Unreachable

NOW = 1_800_000_000_000


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of milliseconds: what is waited for is tested by ``pause_after``."""
    monkeypatch.setattr(polling, "pause_after", lambda error, failures: 0.01)


@pytest.mark.parametrize(
    ("cursor", "offset"),
    [
        (None, None),
        ({"offset": 5, "at": NOW}, 5),
        ({"offset": 5, "at": NOW - OLDEST_CURSOR}, 5),
        ({"offset": 5, "at": NOW - OLDEST_CURSOR - 1}, None),
        ({"offset": "5", "at": NOW}, None),
        ({"offset": 5}, None),
        ([5], None),
    ],
)
def test_an_offset_of_last_week_is_not_used(cursor: Any, offset: int | None) -> None:
    assert offset_of(cursor, NOW) == offset


@pytest.mark.parametrize(
    ("error", "failures", "pause"),
    [
        (Unreachable("x"), 0, 1),
        (NoAnswer("x"), 1, 2),
        (Unreachable("x"), 50, 30),
        (ApiRefusal("getUpdates", 409, "Conflict"), 0, 5),
        (ApiRefusal("getUpdates", 409, "Conflict"), 9, 60),
        (ApiRefusal("getUpdates", 429, "", Parameters(retry_after=6775)), 0, 6775),
        (ApiRefusal("getUpdates", 429, "", Parameters(retry_after=1e300)), 0, 86_400),
        (ApiRefusal("getUpdates", 500, ""), 0, 1),
    ],
)
def test_each_failure_is_waited_for_in_its_way(
    error: Exception, failures: int, pause: float
) -> None:
    assert pause_after(error, failures) == pause


async def test_updates_are_confirmed_only_when_they_are_safe(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        bot.ctx.taking.clear()  # the gateway takes nothing
        await bot.say("one")
        await bot.say("two")
        await bot.fake.until(lambda: bot.bot.calls["getupdates"] >= 2 or len(bot.bot.updates) == 2)
        assert bot.bot.confirmed == 0
        assert len(bot.bot.updates) == 2, "Telegram has them still"
        bot.ctx.taking.set()
        await bot.fake.until(lambda: not bot.bot.updates)
        assert [each.text for each in bot.ctx.emitted] == ["one", "two"]
        assert bot.bot.confirmed == bot.ctx.cursor["offset"]


async def test_it_goes_on_behind_the_stored_offset(tmp_path: Path) -> None:
    async with running(tmp_path) as first:
        await first.say("one")
        await first.ctx.message("one")
        await first.fake.until(lambda: not first.bot.updates)
        cursor = first.ctx.cursor
    async with running(tmp_path, cursor=cursor) as second:
        await second.fake.until(lambda: second.bot.confirmed == cursor["offset"])


async def test_what_is_not_understood_is_passed_over(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        await bot.fake.update(TOKEN, message={"message_id": "wrong"})
        await bot.fake.update(TOKEN, poll={"id": "1"})
        await bot.fake.until(lambda: not bot.bot.updates)
        assert bot.ctx.emitted == []
        await bot.say("after")
        await bot.ctx.message("after")
        assert [each["event"] for each in bot.ctx.logged] == ["an update is not understood"]


@pytest.mark.parametrize(
    "fault",
    [
        ApiFault("getUpdates", code=500, times=3),
        ApiFault("getUpdates", html=True, times=3),
        ApiFault("getUpdates", drop="before", times=3),
        ApiFault("getUpdates", code=429, retry_after=1, times=3),
        ApiFault("getUpdates", code=400, times=3),
    ],
)
async def test_a_fault_passes_with_two_lines_and_no_restart(
    tmp_path: Path, fault: ApiFault
) -> None:
    async with running(tmp_path) as bot:
        bot.bot.faults.append(fault)
        await bot.say("first")  # ends the poll that is under way
        await bot.fake.until(lambda: fault.times == 0)
        await bot.say("second")
        await bot.ctx.message("second")
        assert bot.ctx.fields["connected"] is True
        assert bot.ctx.fields["lastError"] is None
        events = [each["event"] for each in bot.ctx.logged]
        assert events == ["cannot poll", "polling again"]
        assert TOKEN not in repr(bot.ctx.logged)


async def test_two_programs_on_one_bot_are_told_so(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        bot.bot.faults.append(ApiFault("getUpdates", code=409, times=-1))
        await bot.say("x")
        await bot.ctx.until(lambda ctx: "another program polls" in str(ctx.fields.get("lastError")))
        assert bot.ctx.fields["connected"] is False
        assert not bot.task.done(), "it is waited for, never given up"
        bot.bot.faults.clear()
        await bot.ctx.until(lambda ctx: ctx.fields["connected"] is True)


async def test_a_webhook_is_named_by_its_host(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        bot.bot.webhook = "https://hooks.example/secret-path"
        await bot.say("x")
        await bot.ctx.until(lambda ctx: "hooks.example" in str(ctx.fields.get("lastError")))
        assert "secret-path" not in repr(bot.ctx.fields)


async def test_a_token_that_is_revoked_needs_a_person(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        bot.bot.revoked = True
        await bot.say("x")
        error = await bot.ending()
        assert isinstance(error, NeedsLogin)
        assert "@BotFather" in str(error)
        assert TOKEN not in str(error)


async def test_a_poll_that_ends_is_the_sign_of_life(tmp_path: Path) -> None:
    async with running(tmp_path, pollSeconds=1) as bot:
        before = bot.ctx.fields["lastTransportActivityAt"]
        calls = bot.bot.calls["getupdates"]
        await bot.fake.until(lambda: bot.bot.calls["getupdates"] >= calls + 2)
        assert bot.ctx.fields["lastTransportActivityAt"] > before
        assert bot.ctx.emitted == []


async def test_a_button_is_answered_when_its_press_is_stored(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        message = await bot.say("x")
        await bot.ctx.message("x")
        bot.ctx.taking.clear()
        query = {"id": "q1", "from": {"id": 7}, "data": "y", "message": message}
        await bot.fake.update(TOKEN, callback_query=query)
        await bot.fake.until(lambda: len(bot.bot.updates) == 1)
        assert bot.bot.calls["answercallbackquery"] == 0
        bot.ctx.taking.set()
        await bot.fake.until(lambda: bot.bot.calls["answercallbackquery"] == 1)
        assert bot.bot.sent[-1]["callback_query_id"] == "q1"


async def test_ending_leaves_no_poll_behind(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        await bot.fake.until(lambda: bot.bot.calls["getupdates"])
        bot.task.cancel()
        await asyncio.wait({bot.task}, timeout=2)
        assert bot.task.cancelled()
