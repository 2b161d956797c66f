from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from tests.workers.channels.telegram.running_bot import message, running
from tests.workers.text.samples import MARKDOWN
from workers.channels.telegram.deliveries import method_for, plain_of
from workers.errors import MaybeSent, SendFailed
from workers.messages import Action, Attachment, Button, Chat, Poll
from workers.testing.fakes.telegram import ApiFault
from workers.testing.fakes.telegram_text import shown_text
from workers.text.limits import Text
from workers.text.rendering import render


def action(name: str, **fields: object) -> Action:
    return Action(name=name, key="k", message="7/5", **fields)  # type: ignore[arg-type]


async def test_a_message_has_the_id_of_chat_and_number(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        sent = await bot.plugin.send(message("<b>hi</b>", reply_to="7/3", thread="9"))
        (made,) = bot.bot.sent
        assert sent.id == f"7/{made['message_id']}"
        assert (sent.chat, sent.parts) == ("7", 1)
        assert made["shown"] == "<b>hi</b>", "plain text is no markup"
        assert made["message_thread_id"] == 9
        assert made["reply_parameters"]["message_id"] == 3
        await bot.plugin.send(message("<b>hi</b>", markup="markdown"))
        assert bot.bot.texts[-1] == "hi"


async def test_markup_that_is_refused_goes_as_plain_text(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        wrong = "<b>1 &lt; 2 &amp;amp; <unknown>3</unknown></b>"
        await bot.plugin.send(message(wrong, markup="markdown"))
        (made,) = bot.bot.sent
        assert "parse_mode" not in made
        assert made["shown"] == "1 < 2 &amp; 3"


@given(MARKDOWN)
def test_the_plain_text_is_what_people_would_have_seen(source: str) -> None:
    (part,) = render(source, Text(dialect="telegram-html"))
    assert plain_of(part) == shown_text(part, "HTML")


async def test_a_group_that_became_a_supergroup_is_followed(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        bot.bot.faults.append(ApiFault("sendMessage", code=400, migrate_to=-1005))
        assert (await bot.plugin.send(message("one", "-5"))).chat == "-1005"
        assert (await bot.plugin.send(message("two", "-5", key="k2"))).chat == "-1005"
        assert [each["chat_id"] for each in bot.bot.sent] == ["-1005", "-1005"]
        assert bot.bot.calls["sendmessage"] == 3, "the second one knows the way"


async def test_what_telegram_refuses_has_a_reason(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        for code, reason, after in ((403, "blocked", None), (429, "rate_limited", 9000)):
            bot.bot.faults.append(ApiFault("sendMessage", code=code, retry_after=after))
            with pytest.raises(SendFailed) as found:
                await bot.plugin.send(message("x"))
            assert (found.value.reason, found.value.retry_after) == (reason, after)
        with pytest.raises(SendFailed) as found:
            await bot.plugin.send(message("x" * 4097))
        assert found.value.reason == "too_long"
        assert bot.bot.sent == []


async def test_nothing_is_sent_twice_when_the_answer_is_lost(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        bot.bot.faults.append(ApiFault("sendMessage", drop="after"))
        with pytest.raises(MaybeSent):
            await bot.plugin.send(message("x"))
        assert len(bot.bot.sent) == 1
        assert bot.bot.calls["sendmessage"] == 1


async def test_files_of_the_store_are_uploaded_by_their_kind(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        save = bot.ctx.media.save
        files = [
            await save(b"12345", name="a.png", type="image/png"),
            await save(b"%PDF-1", name='b "ä".pdf', type="application/pdf"),
        ]
        sent = await bot.plugin.send(message("<i>see</i>", markup="markdown", attachments=files))
        photo, document = bot.bot.sent
        assert (photo["method"], photo["photo"]) == ("sendphoto", {"name": "a.png", "size": 5})
        assert (photo["shown"], document["shown"]) == ("see", "")
        assert document["document"] == {"name": 'b "ä".pdf', "size": 6}
        assert sent.parts == 2


async def test_a_file_is_read_again_for_the_second_try(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        refusal = "Bad Request: can't parse entities: made up"
        bot.bot.faults.append(ApiFault("senddocument", code=400, description=refusal))
        files = [await bot.ctx.media.save(bytes(300_000), name="a.bin")]
        await bot.plugin.send(message("<i>see</i>", markup="markdown", attachments=files))
        assert bot.bot.sent[-1]["document"] == {"name": "a.bin", "size": 300_000}
        assert bot.bot.calls["senddocument"] == 2


@pytest.mark.parametrize(
    ("type", "size", "method"),
    [
        ("image/png", 10_000_000, "sendPhoto"),
        ("image/png", 10_000_001, "sendDocument"),
        ("image/svg+xml", 10, "sendDocument"),
        ("video/mp4", 50_000_000, "sendVideo"),
        ("audio/mpeg", 10, "sendAudio"),
        ("application/pdf", 10, "sendDocument"),
    ],
)
def test_what_telegram_does_not_show_goes_as_a_document(type: str, size: int, method: str) -> None:
    assert method_for(type, size) == method


async def test_no_file_of_this_host_is_sent(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        for url in ("file:///etc/passwd", "media:" + "0" * 32, "/etc/passwd"):
            with pytest.raises(SendFailed):
                await bot.plugin.send(message("x", attachments=[Attachment(url=url)]))
        assert bot.bot.sent == []


async def test_of_several_files_some_may_have_been_sent(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        files = [await bot.ctx.media.save(b"1"), Attachment(url="file:///x")]
        with pytest.raises(MaybeSent, match="1 of 2 files were sent"):
            await bot.plugin.send(message("", attachments=files))


async def test_messages_are_edited_deleted_and_marked(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        await bot.plugin.edit(action("edit", text="new"))
        await bot.plugin.react(action("react", emoji="👍"))
        await bot.plugin.react(action("react", emoji="👍", remove=True))
        await bot.plugin.delete(action("delete"))
        edit, mark, unmark, delete = bot.bot.sent
        assert (edit["text"], edit["message_id"]) == ("new", 5)
        assert mark["reaction"] == [{"type": "emoji", "emoji": "👍"}]
        assert unmark["reaction"] == []
        assert (delete["method"], delete["chat_id"]) == ("deletemessage", "7")


async def test_a_message_may_be_named_by_the_number_that_telegram_gave_it(tmp_path: Path) -> None:
    def named(name: str, **fields: object) -> Action:
        return Action(name=name, key="k", chat="7", message="5", **fields)  # type: ignore[arg-type]

    async with running(tmp_path) as bot:
        await bot.plugin.edit(named("edit", text="new"))
        await bot.plugin.react(named("react", emoji="👍"))
        await bot.plugin.delete(named("delete"))
        await bot.plugin.send(message("so", reply_to="5"))
        *changed, reply = bot.bot.sent
        assert [(each["chat_id"], each["message_id"]) for each in changed] == [("7", 5)] * 3
        assert reply["reply_parameters"]["message_id"] == 5


async def test_an_edit_keeps_its_markup(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        html = "<b>a</b> &lt; b"
        await bot.plugin.edit(action("edit", text=html, markup="markdown"))
        await bot.plugin.edit(action("edit", text="1 &lt; 2 <b>", markup="plain"))
        refusal = "Bad Request: can't parse entities: made up"
        bot.bot.faults.append(ApiFault("editMessageText", code=400, description=refusal))
        await bot.plugin.edit(action("edit", text=html, markup="markdown"))
        marked, plain, again = bot.bot.sent
        assert (marked["text"], marked["parse_mode"]) == (html, "HTML")
        assert "parse_mode" not in plain
        assert ("parse_mode" in again, again["text"]) == (False, "a < b")


async def test_a_chat_has_a_name_and_shows_who_types(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        asked = Action(name="chat", key="k", chat="-100", thread="9")
        assert await bot.plugin.chat(asked) == Chat(id="-100", kind="group", title="Room")
        await bot.plugin.typing(asked)
        await bot.plugin.typing(Action(name="typing", key="k", chat="-100", remove=True))
        (typing,) = bot.bot.sent
        assert (typing["action"], typing["message_thread_id"]) == ("typing", 9)


async def test_buttons_and_polls_are_sent(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        rows = [[Button("yes", data="y"), Button("no")], [Button("more", url="https://a.example")]]
        await bot.plugin.send(message("sure?", buttons=rows, silent=True))
        poll = Poll("which?", ["a", "b"], multiple=True, seconds=60)
        sent = await bot.plugin.send(message("", key="k2", poll=poll))
        asked, voted = bot.bot.sent
        assert asked["reply_markup"]["inline_keyboard"] == [
            [{"text": "yes", "callback_data": "y"}, {"text": "no", "callback_data": "no"}],
            [{"text": "more", "url": "https://a.example"}],
        ]
        assert asked["disable_notification"] is True
        assert [each["text"] for each in voted["options"]] == ["a", "b"]
        assert (voted["allows_multiple_answers"], voted["open_period"]) == (True, 60)
        assert sent.id.startswith("7/")
        with pytest.raises(SendFailed, match="more than 64 bytes") as found:
            await bot.plugin.send(message("x", key="k3", buttons=[[Button("b", data="é" * 33)]]))
        assert found.value.reason == "invalid"


async def test_an_edit_that_changes_nothing_has_succeeded(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        sent = await bot.plugin.send(message("same"))
        again = Action(name="edit", key="k", message=sent.id, text="same")
        await bot.plugin.edit(again)
        assert bot.bot.calls["editmessagetext"] == 1


async def test_only_a_message_s_id_is_taken(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        for wrong in ("", "5", "7/x"):
            with pytest.raises(SendFailed, match="not the id of a message"):
                await bot.plugin.delete(Action(name="delete", key="k", message=wrong or None))
        with pytest.raises(SendFailed, match="not a thread"):
            await bot.plugin.send(message("x", thread="x"))
