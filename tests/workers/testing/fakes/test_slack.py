"""The fake server, driven by slack-sdk: a fake and a client by one hand prove nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from workers.testing.fakes.slack import FakeSlack, fake_slack
from workers.testing.fakes.slack_apps import MethodFault

BOT, APP = "xoxb-fake-7", "xapp-fake-7"


def web_client(fake: FakeSlack, token: str = BOT) -> AsyncWebClient:
    return AsyncWebClient(token=token, base_url=f"{fake.root}/api/")


class ForeignApp:
    """An app on slack-sdk that acknowledges when ``acking``, and remembers what it got."""

    def __init__(self, fake: FakeSlack) -> None:
        self.acking = True
        self.got: list[SocketModeRequest] = []
        self.client = SocketModeClient(app_token=APP, web_client=web_client(fake, APP))
        self.client.socket_mode_request_listeners.append(self._heard)
        self._fake = fake

    async def _heard(self, client: Any, request: SocketModeRequest) -> None:
        self.got.append(request)
        if self.acking:
            await client.send_socket_mode_response(SocketModeResponse(request.envelope_id))
        await self._fake.notify()


@asynccontextmanager
async def listening(fake: FakeSlack) -> AsyncIterator[ForeignApp]:
    app = ForeignApp(fake)
    await app.client.connect()  # type: ignore[no-untyped-call]
    try:
        yield app
    finally:
        await app.client.close()  # type: ignore[no-untyped-call]


async def test_a_foreign_client_chats() -> None:
    async with fake_slack() as fake:
        web = web_client(fake)
        assert (await web.auth_test())["user_id"] == "UBOT7"
        sent = await web.chat_postMessage(channel="C1", text="a &lt; b")
        assert fake.app(BOT).texts == ["a < b"]
        await web.chat_update(channel="C1", ts=sent["ts"], text="better")
        await web.reactions_add(channel="C1", timestamp=sent["ts"], name="tada")
        await web.reactions_remove(channel="C1", timestamp=sent["ts"], name="tada")
        history = await web.conversations_history(channel="C1")
        assert [each["text"] for each in history["messages"]] == ["better"]
        replies = await web.conversations_replies(channel="C1", ts=sent["ts"])
        assert [each["ts"] for each in replies["messages"]] == [sent["ts"]]
        assert (await web.conversations_info(channel="C1"))["channel"]["name"] == "room"
        person = (await web.users_info(user="U1"))["user"]
        assert person["profile"]["display_name"] == "Ada"
        assert (await web.conversations_members(channel="C1"))["members"] == ["U1"]
        direct = await web.chat_postMessage(channel="U5", text="hi")
        assert direct["channel"] == "DU5"
        await web.chat_delete(channel="C1", ts=sent["ts"])
        assert (await web.conversations_history(channel="C1"))["messages"] == []


async def test_a_foreign_client_hears_and_acknowledges() -> None:
    async with fake_slack() as fake, listening(fake) as app:
        event = await fake.say(BOT, "<@UBOT7> hello", "C1")
        await fake.until(lambda: len(fake.app(BOT).acknowledged) == 2)
        kinds = {each.payload["event"]["type"] for each in app.got}
        assert kinds == {"app_mention", "message"}
        assert {each.payload["event"]["ts"] for each in app.got} == {event["ts"]}
        await fake.press(BOT, "C1", event["ts"], "yes")
        await fake.until(lambda: len(fake.app(BOT).acknowledged) == 3)
        assert app.got[-1].type == "interactive"
        assert app.got[-1].payload["actions"][0]["value"] == "yes"


async def test_what_is_not_acknowledged_comes_again_and_then_no_more() -> None:
    async with fake_slack(ack_seconds=0.3, resends=(0.0, 0.1)) as fake, listening(fake) as app:
        app.acking = False
        await fake.say(BOT, "hello")
        await fake.until(lambda: fake.app(BOT).undelivered == 1)
        assert [each.retry_attempt for each in app.got] == [0, 1, 2]
        assert len({each.payload["event_id"] for each in app.got}) == 1
        assert len({each.envelope_id for each in app.got}) == 3
        app.acking = True
        await fake.duplicate(BOT)
        await fake.until(lambda: fake.app(BOT).acknowledged)


async def test_a_foreign_client_follows_a_refresh() -> None:
    async with fake_slack() as fake, listening(fake) as app:
        await fake.disconnect(BOT, "refresh_requested")
        await fake.until(lambda: [each for each in fake.of(BOT) if not each.leaving], 30)
        await fake.say(BOT, "afterwards")
        await fake.until(lambda: fake.app(BOT).acknowledged)
        assert app.got[-1].payload["event"]["text"] == "afterwards"


async def test_what_slack_refuses_is_refused() -> None:
    async with fake_slack() as fake:
        web = web_client(fake)
        fake.channel("C2").member = False
        fake.channel("C3").archived = True
        sent = await web.chat_postMessage(channel="C1", text="x")
        place = {"channel": "C1", "ts": sent["ts"]}
        calls = [
            (web.chat_postMessage(channel="X1", text="x"), "channel_not_found"),
            (web.chat_postMessage(channel="C2", text="x"), "not_in_channel"),
            (web.chat_postMessage(channel="C3", text="x"), "is_archived"),
            (web.api_call("chat.postMessage", params={"channel": "C1"}), "no_text"),
            (web.chat_update(**place, text="x" * 4001), "msg_too_long"),
            (web.chat_update(channel="C1", ts="1.000009", text="x"), "message_not_found"),
            (web.reactions_remove(channel="C1", timestamp=sent["ts"], name="x"), "no_reaction"),
            (web.users_info(user="U99"), "user_not_found"),
            (web.reactions_add(channel="C1", timestamp=sent["ts"], name="Ä"), "invalid_name"),
            (web_client(fake, APP).auth_test(), "invalid_auth"),
            (web.apps_connections_open(app_token=BOT), "not_allowed_token_type"),
        ]
        for call, code in calls:
            with pytest.raises(SlackApiError) as found:
                await call
            assert found.value.response["error"] == code
        long = await web.chat_postMessage(channel="C1", text="x" * 40_001)
        assert len(long["message"]["text"]) == 40_000


async def test_a_foreign_client_uploads_and_downloads() -> None:
    async with fake_slack() as fake:
        web = web_client(fake)
        done = await web.files_upload_v2(
            channel="C1", content="hello", filename="a.txt", initial_comment="see"
        )
        (sent,) = fake.app(BOT).sent
        assert (sent["channel_id"], sent["initial_comment"]) == ("C1", "see")
        two = [{"content": b"1", "filename": "b"}, {"content": b"22", "filename": "c"}]
        await web.files_upload_v2(channel="C1", thread_ts=sent["ts"], file_uploads=two)
        answers = (await web.conversations_replies(channel="C1", ts=sent["ts"]))["messages"]
        assert [each["size"] for each in answers[-1]["files"]] == [1, 2]
        first = await web.files_info(file=done["file"]["id"])
        second = await web.files_info(file=done["file"]["id"])
        assert "shares" not in first["file"], "Slack makes the message a moment later"
        assert second["file"]["shares"]["private"]["C1"] == [{"ts": sent["ts"]}]
        address = second["file"]["url_private_download"]
        async with web_session() as session:
            bearer = {"Authorization": f"Bearer {BOT}"}
            async with session.get(address, headers=bearer) as given:
                assert (given.status, await given.text()) == (200, "hello")
            async with session.get(address, allow_redirects=False) as refused:
                assert refused.status == 302
        opened = await web.conversations_open(users="U5")
        assert opened["channel"]["id"] == "DU5"
        refusals = [
            (web.files_getUploadURLExternal(filename="x", length=0), "invalid_arguments"),
            (web.files_info(file="F9"), "file_not_found"),
            (web.files_completeUploadExternal(files=[]), "file_not_found"),
            (
                web.files_completeUploadExternal(
                    files=[{"id": done["file"]["id"]}], channel_id="U5"
                ),
                "channel_not_found",
            ),
        ]
        for call, code in refusals:
            with pytest.raises(SlackApiError) as found:
                await call
            assert found.value.response["error"] == code


async def test_faults_look_to_a_foreign_client_like_slack_s() -> None:
    async with fake_slack() as fake:
        web, faults = web_client(fake), fake.app(BOT).faults
        faults.append(MethodFault("chat.postMessage", retry_after=30))
        with pytest.raises(SlackApiError) as found:
            await web.chat_postMessage(channel="C1", text="x")
        assert found.value.response.status_code == 429
        assert found.value.response.headers["Retry-After"] == "30"
        faults.append(MethodFault(error="missing_scope", needed="chat:write"))
        with pytest.raises(SlackApiError) as found:
            await web.chat_postMessage(channel="C1", text="x")
        assert found.value.response["needed"] == "chat:write"
        fake.app(BOT).error = "token_revoked"
        with pytest.raises(SlackApiError, match="token_revoked"):
            await web.auth_test()


async def test_a_switch_that_is_off_is_said_instead_of_hello() -> None:
    async with fake_slack() as fake:
        fake.app(BOT).socket_mode = False
        opened = await web_client(fake, APP).apps_connections_open(app_token=APP)
        async with web_session() as session, session.ws_connect(opened["url"]) as socket:
            frame = await asyncio.wait_for(socket.receive_json(), 10)
            assert (frame["type"], frame["reason"]) == ("disconnect", "link_disabled")


@asynccontextmanager
async def web_session() -> AsyncIterator[Any]:
    import aiohttp

    async with aiohttp.ClientSession() as session:
        yield session
