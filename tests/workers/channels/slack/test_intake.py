from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.workers.channels.slack.running_app import BOT_TOKEN, running, starting
from workers.channels.slack import intake
from workers.errors import NeedsLogin
from workers.testing.fakes.slack import fake_slack


async def test_an_envelope_is_acknowledged_only_when_it_is_stored(tmp_path: Path) -> None:
    async with running(tmp_path, ack_seconds=0.2, resends=(0.0, 0.2, 0.2, 0.2)) as app:
        app.ctx.storing.clear()
        await app.say("one")
        await app.ctx.message("one")
        await app.fake.until(lambda: len(app.app.envelopes) >= 3)
        assert not app.app.acknowledged
        app.ctx.storing.set()
        await app.fake.until(lambda: app.app.acknowledged)
        assert [each.text for each in app.ctx.emitted] == ["one"], "the first receipt counts"


async def test_what_is_sent_again_is_acknowledged_again_and_handed_in_once(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        await app.say("one")
        await app.fake.until(lambda: app.app.acknowledged)
        await app.fake.duplicate(BOT_TOKEN)
        await app.fake.until(lambda: app.app.envelopes[-1].acknowledged)
        assert app.app.envelopes[-1].retry == 1
        assert [each.text for each in app.ctx.emitted] == ["one"]


async def test_what_comes_again_to_another_worker_is_handed_in(tmp_path: Path) -> None:
    async with fake_slack(ack_seconds=0.2, resends=(0.5, 0.5)) as fake:
        async with starting(fake, tmp_path) as first:
            await first.ctx.until_ready()
            first.ctx.storing.clear()
            await fake.say(BOT_TOKEN, "one")
            await first.ctx.message("one")
        async with starting(fake, tmp_path) as second:
            heard = await second.ctx.message("one")
            assert heard.id == first.ctx.emitted[0].id, "by which the gateway knows it again"
            await fake.until(lambda: fake.app(BOT_TOKEN).acknowledged)
            assert fake.app(BOT_TOKEN).envelopes[-1].retry > 0


async def test_pings_are_answered_while_nothing_can_be_taken(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        app.ctx.taking.clear()
        for number in range(5):
            await app.say(f"message {number}")
        (connection,) = app.fake.of(BOT_TOKEN)
        await connection.socket.ping(b"alive?")
        await app.fake.until(lambda: connection.pongs == [b"alive?"])
        assert app.ctx.emitted == []
        app.ctx.taking.set()
        await app.ctx.message("message 4")
        assert [each.text[-1] for each in app.ctx.emitted] == list("01234")


async def test_more_than_can_be_kept_is_left_to_be_sent_again(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(intake, "MAX_WAITING", 3)
    async with running(tmp_path, ack_seconds=0.3, resends=(0.3,) * 30) as app:
        app.ctx.taking.clear()
        for number in range(8):
            await app.say(f"message {number}")
        await app.ctx.until(
            lambda ctx: any("the queue is full" in each["event"] for each in ctx.logged)
        )
        app.ctx.taking.set()
        await app.fake.until(lambda: len(app.app.acknowledged) == 8)
        assert {each.text for each in app.ctx.emitted} == {f"message {n}" for n in range(8)}
        assert len(app.ctx.emitted) == 8
        assert len([each for each in app.ctx.logged if "the queue is full" in each["event"]]) <= 3


async def test_a_button_and_events_beside_messages(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        place = {"type": "message", "channel": "C1", "ts": "1.000001"}
        person = {"user": "U1", "event_ts": "2.000001"}
        await app.fake.press(BOT_TOKEN, "D1", "1.000001", "yes")
        await app.fake.event(
            BOT_TOKEN, {"type": "reaction_added", "reaction": "tada", "item": place, **person}
        )
        await app.fake.event(
            BOT_TOKEN, {"type": "member_joined_channel", "channel": "C1", **person}
        )
        await app.fake.event(
            BOT_TOKEN, {"type": "channel_rename", "channel": {"id": "C1", "name": "n"}}
        )
        await app.fake.event(BOT_TOKEN, {"type": "team_join"})
        await app.fake.until(lambda: len(app.app.acknowledged) == 5)
        assert {each.kind for each in app.ctx.happened} == {"pressed", "reaction", "member", "chat"}
        assert next(each.data for each in app.ctx.happened if each.kind == "pressed") == "yes"


async def test_an_event_that_is_not_understood_does_not_end_anything(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        await app.fake.event(BOT_TOKEN, {"type": "message", "channel": 5})
        await app.say("afterwards")
        await app.ctx.message("afterwards")
        await app.fake.until(lambda: len(app.app.acknowledged) == 2)
        assert "an event is not understood" in [each["event"] for each in app.ctx.logged]


async def test_an_app_that_was_removed_needs_a_login(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        await app.fake.event(BOT_TOKEN, {"type": "app_uninstalled"})
        error = await app.ending()
        assert type(error) is NeedsLogin
        assert "app_uninstalled" in str(error)


async def test_messages_are_passed_on_in_order(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        said = [f"message {number}" for number in range(50)]
        for text in said:
            await app.say(text)
        await app.ctx.message(said[-1])
        await asyncio.sleep(0)
        assert [each.text for each in app.ctx.emitted] == said
