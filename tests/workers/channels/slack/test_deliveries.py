from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.workers.channels.slack.running_app import RunningApp, message, running
from workers.errors import MaybeSent, SendFailed
from workers.messages import Action, Button
from workers.testing.fakes.slack_apps import MethodFault


def action(name: str, **fields: object) -> Action:
    return Action(name=name, key="k", **fields)  # type: ignore[arg-type]


async def failed(app: RunningApp, text: str = "x", to: str = "C1") -> SendFailed:
    with pytest.raises(SendFailed) as found:
        await app.plugin.send(message(text, to))
    return found.value


async def test_a_rendered_text_is_sent_with_and_without_markup(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        await app.plugin.send(message("&lt;@U1&gt; &amp; co"))
        await app.plugin.send(message("*a* &lt;", markup="markdown"))
        plain, marked = app.app.sent
        assert (plain["text"], plain["mrkdwn"]) == ("&lt;@U1&gt; &amp; co", "false")
        assert (marked["text"], marked["mrkdwn"]) == ("*a* &lt;", "true")
        assert app.app.texts == ["<@U1> & co", "*a* <"]


def literal(params: dict[str, object]) -> str | None:
    """Return the text that blocks show without any markup; ``None``: there are no blocks."""
    if not params.get("blocks"):
        return None
    blocks = json.loads(str(params["blocks"]))
    texts = [each["text"] for each in blocks if each["type"] == "section"]
    assert all((each["type"], each["emoji"]) == ("plain_text", False) for each in texts)
    return "\n".join(each["text"] for each in texts)


@pytest.mark.parametrize(
    ("text", "posted", "edited"),
    [
        ("a &lt; b", None, None),
        ("snake_case and *more*", None, "snake_case and *more*"),
        ("&gt; a &lt;b", None, "> a <b"),
        (":smile: &amp; co", ":smile: & co", ":smile: & co"),
        ("```\n" + "x " * 1_900, None, "```\n" + "x " * 1_900),
    ],
)
async def test_plain_text_is_shown_as_it_is(
    tmp_path: Path, text: str, posted: str | None, edited: str | None
) -> None:
    """Only a new message can say that it has no markup, and emoji are made of it even then."""
    async with running(tmp_path) as app:
        sent = await app.plugin.send(message(text))
        await app.plugin.edit(action("edit", message=sent.id, text=text))
        file = await app.ctx.media.save(b"1", name="a.txt")
        await app.plugin.send(message(text, attachments=[file]))
        post, edit, comment = app.app.sent
        assert (post["text"], post["mrkdwn"], edit["text"]) == (text, "false", text)
        assert literal(post) == posted
        for params in (edit, comment):
            found = literal(params)
            assert found is None if edited is None else found is not None
            assert "".join((found or "").split()) == "".join((edited or "").split())
        assert comment.get("initial_comment") == (text if edited is None else None)


async def test_an_edit_keeps_its_markup(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        sent = await app.plugin.send(message("old"))
        edit = action("edit", message=sent.id, text="*a* &lt;", markup="markdown")
        await app.plugin.edit(edit)
        assert (app.app.sent[-1]["text"], literal(app.app.sent[-1])) == ("*a* &lt;", None)


async def test_an_answer_goes_into_the_thread_of_what_it_answers(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        await app.plugin.send(message("x", reply_to="D1/5.000001"))
        await app.plugin.send(message("x", reply_to="D1/5.000001", thread="4.000001"))
        assert [each["thread_ts"] for each in app.app.sent] == ["5.000001", "4.000001"]
        with pytest.raises(SendFailed, match="a thread of Slack is the ts"):
            await app.plugin.send(message("x", thread="main"))


async def test_what_slack_refuses_has_a_reason(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        app.fake.channel("C2").member = False
        app.fake.channel("C3").archived = True
        assert (await failed(app, to="X1")).reason == "not_found"
        assert (await failed(app, to="C2")).reason == "forbidden"
        assert "archived" in str(await failed(app, to="C3"))
        app.app.faults.append(MethodFault("chat.postMessage", retry_after=30))
        limited = await failed(app)
        assert (limited.reason, limited.retry_after, limited.scope) == (
            "rate_limited",
            30,
            "account",
        )
        fault = MethodFault("chat.postMessage", error="missing_scope", needed="chat:write.public")
        app.app.faults.append(fault)
        assert "chat:write.public" in str(await failed(app))
        assert app.app.sent == []


async def test_nothing_is_sent_twice_when_the_answer_is_lost(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        for fault in (
            MethodFault("chat.postMessage", drop="after"),
            MethodFault("chat.postMessage", html=True),
            MethodFault("chat.postMessage", error="fatal_error"),
        ):
            app.app.faults.append(fault)
            assert isinstance(await failed(app), MaybeSent)
        assert app.app.calls["chat.postMessage"] == 3
        assert len(app.app.sent) == 1


async def test_messages_are_edited_and_deleted(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        sent = await app.plugin.send(message("old"))
        await app.plugin.edit(action("edit", message=sent.id, text="a &lt; b"))
        assert app.app.sent[-1]["text"] == "a &lt; b"
        with pytest.raises(SendFailed) as found:
            await app.plugin.edit(action("edit", message=sent.id, text="x" * 4001))
        assert found.value.reason == "too_long"
        await app.plugin.delete(action("delete", message=sent.id))
        assert app.fake.channel("D1").messages == []
        with pytest.raises(SendFailed) as found:
            await app.plugin.delete(action("delete", message=sent.id))
        assert found.value.reason == "not_found"
        with pytest.raises(SendFailed, match="not the id of a message"):
            await app.plugin.delete(action("delete", message="5"))


async def test_a_message_may_be_named_by_the_time_that_slack_gave_it(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        sent = await app.plugin.send(message("old"))
        ts = sent.id.rpartition("/")[2]
        await app.plugin.edit(action("edit", chat="D1", message=ts, text="new"))
        await app.plugin.react(action("react", chat="channel:D1", message=ts, emoji="+1"))
        (before,) = await app.plugin.history(action("history", chat="D1"))
        assert (before.id, before.text) == (sent.id, "new")
        assert await app.plugin.history(action("history", chat="D1", before=ts)) == []
        await app.plugin.send(message("so", reply_to=ts))
        assert app.app.sent[-1]["thread_ts"] == ts
        await app.plugin.delete(action("delete", chat="D1", message=ts))
        assert ts not in [each["ts"] for each in app.fake.channel("D1").messages]


async def test_a_reaction_is_as_good_once_as_twice(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        event = await app.say("nice")
        name = f"D1/{event['ts']}"
        for remove in (False, True):
            for _ in range(2):
                await app.plugin.react(action("react", message=name, emoji="👍", remove=remove))
        assert [each["name"] for each in app.app.sent] == ["+1", "+1"]
        with pytest.raises(SendFailed, match="wants the name of an emoji"):
            await app.plugin.react(action("react", message=name, emoji="🦧"))
        with pytest.raises(SendFailed) as found:
            await app.plugin.react(action("react", message="D1/1.000009", emoji="+1"))
        assert found.value.reason == "not_found"


async def test_typing_is_shown_where_slack_can(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        await app.plugin.typing(action("typing", chat="D1"))
        assert app.app.calls["assistant.threads.setStatus"] == 0
        await app.plugin.typing(action("typing", chat="D1", thread="1.000001"))
        await app.plugin.typing(action("typing", chat="D1", thread="1.000001", remove=True))
        assert [each["status"] for each in app.app.sent] == ["is typing…", ""]
        fault = MethodFault("assistant.threads.setStatus", error="missing_scope")
        app.app.faults.append(fault)
        for _ in range(2):
            await app.plugin.typing(action("typing", chat="C1", thread="1.000001"))
        assert app.app.calls["assistant.threads.setStatus"] == 3, "C1 is not asked again"


async def test_buttons_stand_below_the_text(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        rows = [[Button("yes", data="y"), Button("more", url="https://a.example")]]
        await app.plugin.send(message("sure &lt;really&gt;?", buttons=rows))
        section, row = json.loads(app.app.sent[0]["blocks"])
        assert section["text"]["text"] == "sure <really>?"
        assert [each.get("value") for each in row["elements"]] == ["y", None]
        assert app.app.texts == ["sure <really>?"], "what notifications show"


async def test_files_go_with_their_text_as_one_message(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        media = app.ctx.media
        files = [await media.save(b"12345", name="a.txt"), await media.save(b"6", name="b.txt")]
        sent = await app.plugin.send(
            message("a &lt; b", "C1", thread="1.000001", attachments=files)
        )
        (made,) = app.app.sent
        assert made["method"] == "files.completeUploadExternal"
        assert (made["channel_id"], made["thread_ts"]) == ("C1", "1.000001")
        assert made["initial_comment"] == "a &lt; b"
        kept = [app.fake.files.files[each["id"]] for each in made["files"]]
        assert [each.content for each in kept] == [b"12345", b"6"]
        assert (sent.id, sent.chat, sent.parts) == (f"C1/{made['ts']}", "C1", 1)
        assert sent.ts
        await app.plugin.delete(action("delete", message=sent.id))


async def test_files_go_to_a_person_and_ten_at_a_time(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        file = await app.ctx.media.save(b"1", name="a.txt")
        for _ in range(2):
            sent = await app.plugin.send(message("x", "U1", attachments=[file] * 11))
            assert (sent.chat, sent.parts) == ("DU1", 2)
        assert [len(each["files"]) for each in app.app.sent] == [10, 1, 10, 1]
        assert [each.get("initial_comment") for each in app.app.sent] == ["x", None, "x", None]
        assert app.app.calls["conversations.open"] == 1
        app.app.faults += [
            MethodFault("files.completeUploadExternal", slow=0.0),
            MethodFault("files.completeUploadExternal", error="is_archived"),
        ]
        with pytest.raises(MaybeSent, match="1 of 2 messages with files were sent"):
            await app.plugin.send(message("x", "U1", attachments=[file] * 11))


async def test_buttons_stand_below_files(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        file = await app.ctx.media.save(b"1", name="a.txt")
        rows = [[Button("yes", "1")]]
        await app.plugin.send(message("sure?", "C1", attachments=[file], buttons=rows))
        (made,) = app.app.sent
        assert "initial_comment" not in made, "Slack would leave the blocks out"
        assert [each["type"] for each in json.loads(made["blocks"])] == ["section", "actions"]
