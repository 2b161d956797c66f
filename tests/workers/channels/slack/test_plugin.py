from __future__ import annotations

from pathlib import Path

import pytest

from tests.workers.channels.slack.running_app import (
    APP_TOKEN,
    BOT_TOKEN,
    message,
    running,
    starting,
)
from workers.channels.slack.plugin import Slack
from workers.errors import ChannelError, Misconfigured, NeedsLogin, SendFailed, Transient
from workers.testing.fakes.slack import fake_slack
from workers.testing.fakes.slack_apps import MethodFault
from workers.testing.ports import free_port


async def test_it_is_ready_when_slack_has_said_hello(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        assert app.ctx.named == "T1/UBOT1"
        assert app.ctx.fields["connected"] is True
        assert app.ctx.fields["detail"] == "@bot1 in Fake"


async def test_it_answers_in_a_thread_of_a_channel(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        event = await app.say("<@UBOT1> hello &amp; welcome", "C1", thread_ts="1.000001")
        heard = await app.ctx.message("hello")
        assert heard.addressed
        assert heard.text == "@UBOT1 hello & welcome"
        sent = await app.plugin.send(message("a &lt; b", "C1", thread=heard.thread))
        (made,) = app.app.sent
        assert (made["channel"], made["thread_ts"]) == ("C1", "1.000001")
        assert (made["text"], made["mrkdwn"]) == ("a &lt; b", "false")
        assert sent.id == f"C1/{made['ts']}"
        await app.fake.until(lambda: len(app.app.acknowledged) == 2)
        assert [each.id for each in app.ctx.emitted] == [f"C1/{event['ts']}"]


@pytest.mark.parametrize(
    ("fault", "kind", "final"),
    [
        (MethodFault("auth.test", "invalid_auth"), NeedsLogin, False),
        (MethodFault("auth.test", "token_revoked"), NeedsLogin, True),
        (MethodFault("auth.test", "account_inactive"), NeedsLogin, True),
        (MethodFault("auth.test", html=True), Transient, None),
        (MethodFault("auth.test", retry_after=7), Transient, None),
        (MethodFault("auth.test", drop="before"), Transient, None),
        (MethodFault("apps.connections.open", "invalid_auth"), NeedsLogin, False),
        (MethodFault("apps.connections.open", "not_allowed_token_type"), Misconfigured, False),
        (
            MethodFault("apps.connections.open", "missing_scope", needed="connections:write"),
            Misconfigured,
            False,
        ),
        (MethodFault("apps.connections.open", "internal_error"), Transient, None),
    ],
)
async def test_a_start_that_fails_says_why(
    tmp_path: Path, fault: MethodFault, kind: type[ChannelError], final: bool | None
) -> None:
    async with fake_slack() as fake:
        fake.app(BOT_TOKEN).faults.append(fault)
        async with starting(fake, tmp_path) as app:
            error = await app.ending()
            assert type(error) is kind
            assert getattr(error, "final", None) is final
            assert getattr(error, "retry_after", None) == fault.retry_after
            assert fault.needed in str(error)
            assert BOT_TOKEN not in str(error)
            assert APP_TOKEN not in str(error)
            assert not app.ctx.is_ready


async def test_a_switch_that_is_off_is_named(tmp_path: Path) -> None:
    async with fake_slack() as fake:
        fake.app(BOT_TOKEN).socket_mode = False
        async with starting(fake, tmp_path) as app:
            error = await app.ending()
            assert type(error) is Misconfigured
            assert "Settings, Socket Mode" in str(error)


async def test_a_bot_that_may_not_write_names_the_scope(tmp_path: Path) -> None:
    async with fake_slack() as fake:
        fake.app(BOT_TOKEN).scopes = "channels:history,im:history"
        async with starting(fake, tmp_path) as app:
            error = await app.ending()
            assert type(error) is Misconfigured
            assert "chat:write" in str(error)


@pytest.mark.parametrize(
    ("bot", "app_token", "about"),
    [
        (APP_TOKEN, BOT_TOKEN, "are swapped"),
        ("hunter2", APP_TOKEN, "botToken is not a bot token"),
        (BOT_TOKEN, "hunter2", "appToken is not an app-level token"),
    ],
)
async def test_what_is_no_token_is_a_fault_of_the_configuration(
    tmp_path: Path, bot: str, app_token: str, about: str
) -> None:
    async with (
        fake_slack() as fake,
        starting(fake, tmp_path, botToken=bot, appToken=app_token) as app,
    ):
        error = await app.ending()
        assert isinstance(error, Misconfigured)
        assert error.final
        assert about in str(error)
        assert "hunter2" not in str(error)
        assert not fake.app(BOT_TOKEN).calls


async def test_a_server_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    root = f"http://127.0.0.1:{free_port()}"
    async with fake_slack() as fake, starting(fake, tmp_path, apiRoot=root) as app:
        error = await app.ending()
        assert isinstance(error, Transient)
        assert "Connection refused by 127.0.0.1" in str(error)


async def test_before_it_is_ready_nothing_is_sent(tmp_path: Path) -> None:
    async with fake_slack() as fake:
        fake.app(BOT_TOKEN).faults.append(MethodFault("auth.test", slow=5))
        async with starting(fake, tmp_path) as app:
            with pytest.raises(SendFailed, match="not logged in") as found:
                await app.plugin.send(message("x"))
            assert found.value.retryable
            assert await app.plugin.probe() == {"ok": False, "error": "not connected"}


async def test_a_probe_asks_slack(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        assert await app.plugin.probe() == {
            "ok": True,
            "bot": {"id": "UBOT1", "username": "bot1"},
            "team": "Fake",
        }
        app.app.error = "token_revoked"
        with pytest.raises(NeedsLogin):
            await app.plugin.probe()


async def test_a_token_that_is_revoked_meanwhile_is_seen_by_the_next_send(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        app.app.error = "token_revoked"
        with pytest.raises(SendFailed, match="token_revoked"):
            await app.plugin.send(message("x"))
        error = await app.ending()
        assert isinstance(error, NeedsLogin)
        assert error.final


def test_direct_conversations_are_no_groups() -> None:
    assert not Slack.is_group("D123")
    assert Slack.is_group("C123")
    assert Slack.is_group("G123")
