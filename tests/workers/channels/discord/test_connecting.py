from __future__ import annotations

from pathlib import Path

import pytest

from tests.workers.channels.discord.running_bot import TOKEN, running, running_alone, starting
from workers.channels.discord import connecting
from workers.channels.discord.connecting import pause_after
from workers.errors import Misconfigured, NeedsLogin, Transient
from workers.testing.fakes.discord import fake_discord
from workers.testing.fakes.discord_bots import RestFault


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of milliseconds: what is waited for is tested by ``pause_after``."""
    monkeypatch.setattr(connecting, "pause_after", lambda failures: 0.01)
    monkeypatch.setattr("random.uniform", lambda low, high: 0.01)


def test_pauses_grow_to_half_a_minute() -> None:
    assert [pause_after(each) for each in (0, 1, 2, 3, 6, 50)] == [0, 1, 2, 4, 30, 30]


async def test_a_new_process_resumes_the_session_of_the_last(tmp_path: Path) -> None:
    async with fake_discord() as fake:
        async with running(fake, tmp_path) as first:
            await first.say("one")
            await first.ctx.message("one")
            cursor = first.ctx.cursor
        bot = fake.bot(TOKEN)
        assert bot.closes == [4000], "else Discord forgets the session"
        await fake.say(TOKEN, "two", bot.thread)
        async with running(fake, tmp_path, cursor) as second:
            found = await second.ctx.message("two")
            assert (found.thread, found.chat.title) == (bot.thread, "general"), "it has asked"
            assert [each.text for each in second.ctx.emitted] == ["two"]
            assert (bot.identified, bot.resumed) == (1, 1)


@pytest.mark.parametrize("code", [1000, 1001, 4000, 4001, 4008])
async def test_a_closed_connection_is_resumed(tmp_path: Path, code: int) -> None:
    async with running_alone(tmp_path) as bot:
        await bot.fake.gateway.close(bot.bot, code)
        await bot.say("meanwhile")
        await bot.ctx.message("meanwhile")
        assert (bot.bot.identified, bot.bot.resumed) == (1, 1)
        assert bot.ctx.fields["connected"] is True
        assert bot.ctx.fields["lastError"] is None
        assert bot.events() == ["the connection has ended", "connected again"]


@pytest.mark.parametrize("code", [4003, 4007, 4009])
async def test_after_some_codes_the_session_is_begun_anew(tmp_path: Path, code: int) -> None:
    async with running_alone(tmp_path) as bot:
        await bot.fake.gateway.close(bot.bot, code)
        await bot.fake.until(lambda: bot.bot.identified == 2)
        await bot.say("again")
        await bot.ctx.message("again")


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (4004, NeedsLogin, "Reset Token"),
        (4010, Misconfigured, "4010"),
        (4011, Misconfigured, "more servers"),
        (4012, Misconfigured, "4012"),
        (4013, Misconfigured, "4013"),
        (4014, Misconfigured, "MESSAGE CONTENT INTENT"),
    ],
)
async def test_a_fatal_code_ends_the_account(
    tmp_path: Path, code: int, kind: type[Exception], words: str
) -> None:
    async with running_alone(tmp_path) as bot:
        await bot.fake.gateway.close(bot.bot, code)
        error = await bot.ending()
        assert type(error) is kind
        assert words in str(error)
        assert TOKEN not in str(error)


async def test_an_intent_that_is_off_is_named_at_the_first_start(tmp_path: Path) -> None:
    async with fake_discord() as fake:
        fake.bot(TOKEN).content_off = True
        async with starting(fake, tmp_path) as bot:
            error = await bot.ending()
            assert isinstance(error, Misconfigured)
            assert "switch on MESSAGE CONTENT INTENT" in str(error)


async def test_asked_to_reconnect_it_resumes_without_a_line(tmp_path: Path) -> None:
    async with running_alone(tmp_path) as bot:
        await bot.fake.gateway.ask_to_reconnect(bot.bot)
        await bot.fake.until(lambda: bot.bot.resumed == 1)
        await bot.say("after")
        await bot.ctx.message("after")
        assert bot.bot.closes == [4000]
        assert bot.events() == []


@pytest.mark.parametrize("resumable", [True, False])
async def test_an_invalid_session_is_resumed_or_begun_anew(tmp_path: Path, resumable: bool) -> None:
    async with running_alone(tmp_path) as bot:
        await bot.fake.gateway.invalidate(bot.bot, resumable=resumable)
        await bot.fake.until(lambda: bot.bot.identified + bot.bot.resumed == 2)
        assert bot.bot.resumed == int(resumable)
        await bot.say("after")
        await bot.ctx.message("after")


async def test_no_session_is_begun_when_none_is_left(tmp_path: Path) -> None:
    async with fake_discord() as fake:
        fake.bot(TOKEN).remaining = 0
        async with starting(fake, tmp_path) as bot:
            error = await bot.ending()
            assert isinstance(error, Transient)
            assert error.retry_after == 14_400
            assert fake.bot(TOKEN).identified == 0


async def test_a_session_is_resumed_whatever_is_left(tmp_path: Path) -> None:
    async with running_alone(tmp_path) as bot:
        bot.bot.remaining = 0
        await bot.fake.gateway.close(bot.bot, 4000)
        await bot.fake.until(lambda: bot.bot.resumed == 1)


async def test_an_outage_is_logged_in_two_lines(tmp_path: Path) -> None:
    async with running_alone(tmp_path) as bot:
        bot.fake.down = True
        await bot.ctx.until(lambda ctx: ctx.fields["connected"] is False)
        await bot.ctx.until(lambda ctx: len(ctx.logged) >= 2)
        bot.fake.down = False
        await bot.say("after")
        await bot.ctx.message("after")
        assert bot.bot.identified == 1, "the session was resumed"
        assert bot.events()[-1] == "connected again"
        assert len(bot.events()) <= 4
        assert TOKEN not in repr(bot.ctx.logged)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (RestFault("GET /users/@me", status=401), NeedsLogin),
        (RestFault("GET /users/@me", status=500), Transient),
        (RestFault("GET /users/@me", html=True), Transient),
        (RestFault("GET /users/@me", drop="before", times=2), Transient),
        (RestFault("GET /gateway/bot", status=401), NeedsLogin),
        (RestFault("GET /gateway/bot", status=503, times=-1), Transient),
    ],
)
async def test_a_fault_at_the_start_ends_the_account_with_its_cause(
    tmp_path: Path, fault: RestFault, kind: type[Exception]
) -> None:
    async with fake_discord() as fake:
        fake.bot(TOKEN).faults.append(fault)
        async with starting(fake, tmp_path) as bot:
            assert type(await bot.ending()) is kind
            assert not bot.ctx.is_ready


async def test_a_cursor_of_another_server_does_not_send_the_token_there(tmp_path: Path) -> None:
    async with fake_discord() as fake, fake_discord() as other:
        async with running(other, tmp_path) as first:
            await first.say("one")
            await first.ctx.message("one")
            cursor = first.ctx.cursor
        async with running(fake, tmp_path, cursor):
            assert fake.bot(TOKEN).identified == 1
            assert other.bot(TOKEN).resumed == 0
