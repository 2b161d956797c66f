from __future__ import annotations

from pathlib import Path

import pytest

from tests.workers.channels.slack.running_app import BOT_TOKEN, message, running
from workers.channels.slack import connection, listening
from workers.channels.slack.listening import LONGEST_PAUSE, pause_after
from workers.errors import Misconfigured, NeedsLogin
from workers.testing.fakes.slack_apps import MethodFault


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(listening, "LONGEST_PAUSE", 0.2)


async def test_a_connection_is_replaced_before_it_is_closed(tmp_path: Path) -> None:
    async with running(tmp_path, ack_seconds=0.5, resends=(0.0, 0.2)) as app:
        (old,) = app.fake.of(BOT_TOKEN)
        app.ctx.storing.clear()
        await app.say("before")
        await app.ctx.message("before")
        await app.fake.disconnect(BOT_TOKEN, "refresh_requested")
        await app.fake.until(lambda: len(app.fake.of(BOT_TOKEN)) == 2)
        assert not old.socket.closed
        await app.say("after")
        await app.ctx.message("after")
        app.ctx.storing.set()
        await app.fake.until(lambda: len(app.app.acknowledged) == 2)
        assert app.ctx.fields["connected"] is True
        assert "lastDisconnectAt" not in app.ctx.fields
        assert not [each for each in app.ctx.logged if each["level"] == "warning"]


async def test_one_that_is_replaced_is_closed_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "LINGER_SECONDS", 0.2)
    async with running(tmp_path) as app:
        (old,) = app.fake.of(BOT_TOKEN)
        await app.fake.disconnect(BOT_TOKEN, "warning")
        await app.fake.until(lambda: old.socket.closed and len(app.fake.of(BOT_TOKEN)) == 1)
        await app.say("hello")
        await app.ctx.message("hello")


async def test_a_connection_that_is_lost_is_opened_again(tmp_path: Path) -> None:
    async with running(tmp_path, ack_seconds=0.5, resends=(0.2,) * 20) as app:
        await app.fake.end_connections(BOT_TOKEN)
        await app.fake.until(lambda: not app.fake.of(BOT_TOKEN))
        await app.say("meanwhile")
        await app.ctx.message("meanwhile")
        await app.ctx.until(lambda ctx: ctx.fields["connected"] is True)
        assert app.ctx.fields["lastDisconnectAt"]
        assert app.ctx.fields["lastError"] is None


async def test_a_half_open_connection_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PING_SECONDS", 0.3)
    async with running(tmp_path, ack_seconds=0.5, resends=(0.2,) * 20) as app:
        app.fake.of(BOT_TOKEN)[0].frozen = True
        await app.say("into the void")
        await app.ctx.message("into the void")
        texts = [each.get("error") for each in app.ctx.logged]
        assert "Slack does not answer on the open connection" in texts


async def test_an_outage_is_logged_in_a_few_lines(tmp_path: Path) -> None:
    async with running(tmp_path, ack_seconds=0.5, resends=(0.2,) * 50) as app:
        app.fake.down = True
        await app.fake.end_connections(BOT_TOKEN)
        await app.fake.until(lambda: app.app.calls["auth.test"] == 1)
        await app.ctx.until(lambda ctx: ctx.fields["connected"] is False)
        await app.ctx.until(lambda ctx: "closed the connection" in str(ctx.fields["lastError"]))
        await app.say("during the outage")
        app.fake.down = False
        await app.ctx.message("during the outage")
        assert len([each for each in app.ctx.logged if each["level"] != "debug"]) <= 4


async def test_a_switch_that_is_turned_off_ends_the_account(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        await app.fake.disconnect(BOT_TOKEN, "link_disabled")
        error = await app.ending()
        assert type(error) is Misconfigured
        assert "Socket Mode" in str(error)


async def test_a_token_that_was_revoked_is_seen_when_the_connection_ends(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        app.app.faults.append(MethodFault("auth.test", error="account_inactive", times=-1))
        await app.fake.end_connections(BOT_TOKEN)
        assert type(await app.ending()) is NeedsLogin


async def test_as_long_as_slack_asks_for_is_waited(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        app.app.faults.append(MethodFault("apps.connections.open", retry_after=1))
        await app.fake.end_connections(BOT_TOKEN)
        await app.fake.until(lambda: app.app.calls["apps.connections.open"] == 3)
        await app.plugin.send(message("sends go on meanwhile"))


def test_pauses_between_connections_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert [pause_after(number) for number in range(4)] == [1, 2, 4, 8]
    assert pause_after(1000) == LONGEST_PAUSE
    assert connection.PING_SECONDS < LONGEST_PAUSE
