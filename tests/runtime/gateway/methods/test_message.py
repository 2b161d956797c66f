"""``message.action``, over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ipc.errors import RemoteError
from tests.support.account_calls import SENT, action, calls_of, can
from tests.support.gateway_rig import gateway_rig, row
from tests.support.until import until

KEY = "irc:libera"
MAIN = "agent:echo:main"


async def test_media_leaves_as_attachments() -> None:
    async with gateway_rig() as rig:
        calls = await calls_of(rig)
        client = await rig.client()
        sent = {"to": "#room", "idempotencyKey": "k", "mediaUrls": ["http://a/1", "http://a/2"]}
        await client.call("send", sent)
        assert calls[0][1]["attachments"] == [{"url": "http://a/1"}, {"url": "http://a/2"}]


async def test_a_buffer_leaves_as_an_attachment_with_its_data() -> None:
    async with gateway_rig() as rig:
        calls = await calls_of(rig)
        client = await rig.client()
        sent = {"to": "#room", "idempotencyKey": "k", "buffer": "aGk=", "filename": "a.txt"}
        await client.call("send", sent | {"contentType": "text/plain"})
        assert calls[0][1]["attachments"] == [
            {"url": "data:text/plain;base64,aGk=", "mimeType": "text/plain", "name": "a.txt"}
        ]


async def test_the_action_send_takes_the_spellings_of_the_command_line() -> None:
    async with gateway_rig() as rig:
        can(rig, "send")
        calls = await calls_of(rig)
        client = await rig.client()
        inner = {"target": "#room", "text": "hi", "media": "http://a/1", "replyTo": 7}
        answer = await client.call("message.action", action("send", **inner))
        assert answer == {"ok": True, "messageId": "m-1", "chatId": "#room", "receipt": {}}
        assert calls == [
            (
                "send",
                {
                    "to": "#room",
                    "text": "hi",
                    "key": "k-1",
                    "replyTo": "7",
                    "attachments": [{"url": "http://a/1"}],
                },
            )
        ]


async def test_what_is_sent_is_added_to_the_session_that_is_named() -> None:
    async with gateway_rig(agents="echo") as rig:
        can(rig, "send")
        await calls_of(rig)
        client = await rig.client()
        params = action("send", to="#room", text="hi") | {"sessionKey": "main"}
        await client.call("message.action", params)
        await until(lambda: (found := rig.parts.sessions.find(MAIN)) and len(found.entries))


async def test_what_a_channel_can_take_beside_text_leaves_with_the_message() -> None:
    async with gateway_rig() as rig:
        can(rig, "send", also=["poll", "buttons"])
        calls = await calls_of(rig)
        client = await rig.client()
        more = {
            "markup": "markdown",
            "buttons": [[{"text": "yes", "data": "1"}]],
            "poll": {"question": "?", "options": ["a", "b"]},
            "silent": True,
        }
        hidden = {"__sessionKey": "s", "bestEffort": True}
        await client.call("message.action", action("send", to="#room", text="x", **more, **hidden))
        assert calls[0][1] == {"to": "#room", "text": "x", "key": "k-1"} | more


@pytest.mark.parametrize("also", [["buttons"], []], ids=["buttons", "none"])
async def test_a_presentation_is_text_and_buttons_or_lines(also: list[str]) -> None:
    async with gateway_rig() as rig:
        can(rig, "send", also=also)
        calls = await calls_of(rig)
        client = await rig.client()
        buttons = [{"label": "Yes", "value": "y"}]
        card = {"blocks": [{"type": "buttons", "buttons": buttons}]}
        inner = {"to": "#room", "message": "Choose:", "presentation": card}
        await client.call("message.action", action("send", **inner))
        made = (
            {"text": "Choose:", "buttons": [[{"text": "Yes", "data": "y"}]]}
            if also
            else {"text": "Choose:\n\n- Yes"}
        )
        assert calls[0][1] == {"to": "#room", "key": "k-1"} | made


# What `openclaw message` adds to every action, as recorded of OpenClaw 2026.9.6.
SWITCHES = {"json": True, "dryRun": False, "verbose": False, "channel": "irc"}


@pytest.mark.parametrize(
    ("inner", "called"),
    [
        (
            {"action": "send", "to": "irc:#room", "target": "#room", "message": "hi"}
            | {"pin": False, "gifPlayback": False, "forceDocument": False, "silent": False},
            ("send", {"to": "#room", "text": "hi", "key": "k-1"}),
        ),
        (
            {"action": "send", "to": "irc:#room", "message": "hi", "targets": ["#room", "ann"]}
            | {"mediaUrls": ["/srv/a picture.png"]},
            (
                "send",
                {"to": "#room", "text": "hi", "key": "k-1"}
                | {"attachments": [{"url": "file:///srv/a%20picture.png"}]},
            ),
        ),
        (
            {"action": "react", "to": "irc:#room", "messageId": "7", "emoji": "x"}
            | {"remove": False, "fromMe": False},
            ("action", {"name": "react", "chat": "#room", "message": "7", "emoji": "x"}),
        ),
        (
            {"action": "read", "to": "irc:#room", "limit": "5", "before": "9"},
            ("action", {"name": "history", "chat": "#room", "limit": 5, "before": "9"}),
        ),
        (
            {"action": "read", "to": "irc:#room", "messageId": "7"},
            ("action", {"name": "read", "chat": "#room", "message": "7"}),
        ),
        (
            {"action": "poll", "to": "irc:#room", "pollQuestion": "?", "pollOption": ["a", "b"]}
            | {"pollMulti": True, "pollDurationHours": "1", "pollAnonymous": False}
            | {"pollPublic": True, "silent": False},
            (
                "send",
                {"to": "#room", "text": "", "key": "k-1"}
                | {"poll": {"question": "?", "options": ["a", "b"], "multiple": True}},
            ),
        ),
    ],
    ids=["send", "file", "react", "history", "read", "poll"],
)
async def test_actions_of_the_command_line_reach_the_account(
    inner: dict[str, Any], called: tuple[str, dict[str, Any]]
) -> None:
    async with gateway_rig() as rig:
        can(rig, "send", "react", "read", "history", also=["poll"])
        calls = await calls_of(rig, SENT if called[0] == "send" else b"{}")
        client = await rig.client()
        asked = action(inner["action"], **SWITCHES, **inner)
        assert (await client.call("message.action", asked))["ok"] is True
        kind, sent = calls[0]
        if "poll" in sent:
            assert sent["poll"].pop("seconds") == 3600
        wanted = called[1] | ({"key": "k-1"} if kind == "action" else {})
        assert (kind, sent) == (called[0], wanted)


async def test_history_is_asked_for_with_its_bounds() -> None:
    async with gateway_rig() as rig:
        can(rig, "history")
        calls = await calls_of(rig, b'{"messages":[]}')
        client = await rig.client()
        asked = action("history", to="#room", before="m-9", limit=20)
        answer = await client.call("message.action", asked)
        assert answer == {"ok": True, "chatId": "#room", "messages": []}
        wanted = {"name": "history", "key": "k-1", "chat": "#room", "before": "m-9", "limit": 20}
        assert calls == [("action", wanted)]


@pytest.mark.parametrize(
    ("name", "retryable", "details"),
    [("history", True, None), ("members", True, None), ("react", False, {"maybeExecuted": True})],
)
async def test_an_action_whose_account_dies_may_be_repeated_if_it_only_reads(
    name: str, retryable: bool, details: Any
) -> None:
    async with gateway_rig() as rig:
        can(rig, name)
        worker, called = await rig.worker(KEY), asyncio.Event()
        worker.on_call = lambda call: called.set()
        client = await rig.client()
        asking = asyncio.create_task(client.call("message.action", action(name, to="#room")))
        await called.wait()
        await rig.report(row(KEY, "backoff"))
        with pytest.raises(RemoteError) as failure:
            await asking
        found = failure.value
        assert (found.code, found.retryable, found.details) == ("UNAVAILABLE", retryable, details)


async def test_an_action_reaches_the_account_whose_channel_can_do_it() -> None:
    async with gateway_rig() as rig:
        can(rig, "send", "edit")
        calls = await calls_of(rig, b'{"edited":true}')
        client = await rig.client()
        edit = action("edit", to="#room", messageId="m-1", message="better", markup="markdown")
        answer = await client.call("message.action", edit)
        assert answer == {"ok": True, "messageId": "m-1", "chatId": "#room", "edited": True}
        assert calls == [
            (
                "action",
                {
                    "name": "edit",
                    "key": "k-1",
                    "chat": "#room",
                    "message": "m-1",
                    "text": "better",
                    "markup": "markdown",
                },
            )
        ]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (action("edit", messageId="1"), "channel irc does not support action edit"),
        (action("send", message="x"), "invalid message.action params: to is required"),
        (action("send", to="x"), "invalid message.action params: text or media is required"),
        (
            action("send", to="x", text="y", colour="red", zoom=1),
            "invalid message.action params: send takes no colour, zoom",
        ),
        (
            action("send", to="x", text="y", dryRun=True),
            "invalid message.action params: send takes no dryRun",
        ),
        (action("poll", to="x"), "channel irc does not support action poll"),
        (
            action("edit", messageId="1", media="x"),
            "invalid message.action params: edit takes no media",
        ),
        (
            action("send", to="x", poll={"question": "?", "options": ["a", "b"]}),
            "channel irc does not support poll",
        ),
        (
            action("send", to="x", text="y", buttons=[[{"text": "ok"}]]),
            "channel irc does not support buttons",
        ),
        (
            action("send", to="x", text="y", markup="html"),
            "invalid message.action params: Invalid enum value 'html' - at `$.markup`",
        ),
        (
            action("send", to="x", presentation={"blocks": [{"type": "chart"}]}),
            "invalid message.action params: presentation: Invalid enum value 'chart' - at"
            " `$.blocks[0].type`",
        ),
        (action("send") | {"channel": "fax"}, "invalid message.action channel 'fax'; known: irc"),
        ({"channel": "irc"}, "invalid message.action params: must have required property 'action'"),
    ],
)
async def test_an_action_that_cannot_be_is_refused_with_the_reason(
    params: dict[str, Any], message: str
) -> None:
    async with gateway_rig() as rig:
        can(rig, "send")
        client = await rig.client()
        with pytest.raises(RemoteError) as caught:
            await client.call("message.action", params)
        assert (caught.value.code, caught.value.message) == ("INVALID_REQUEST", message)
