"""Messages that are edited by what the gateway sends: previews, and the answers after them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.workers.process.test_sending import TEXT, A, B, Platform, message
from workers.errors import MaybeSent, SendFailed
from workers.messages import Action, Attachment, Outbound, Sent
from workers.plugin import Pace, Rate, Text
from workers.process.attempts import SendAttempt
from workers.process.sending import NotYet, PartSender


class Editable(Platform):
    """A platform whose messages can be edited; ``edits`` are message and text."""

    def __init__(self) -> None:
        super().__init__()
        self.edits: list[tuple[str | None, str]] = []
        self.refusals: list[Exception] = []

    async def edit(self, action: Action) -> None:
        await self.gate.wait()
        if self.refusals:
            raise self.refusals.pop(0)
        self.edits.append((action.message, action.text))


def made(pace: Pace | None = None, text: Text = TEXT) -> tuple[Editable, PartSender]:
    platform = Editable()
    return platform, PartSender(platform.send, text, pace or Pace(), edit=platform.edit)


async def deliver(sender: PartSender, whole: Outbound, **fields: Any) -> list[Sent]:
    reports: list[Any] = []
    attempt = SendAttempt(whole, 1, edit="p1", **fields)
    return await sender.deliver(attempt, lambda texts, sent: reports.append((texts, sent)))


def edit(text: str, chat: str = "7") -> Action:
    return Action("edit", "k", chat, "p1", text, markup="markdown")


async def test_an_answer_takes_the_place_of_its_preview_and_goes_on_in_more_messages() -> None:
    platform, sender = made()
    sent = await deliver(sender, message(f"{A}\n\n{B}", markup="markdown"))
    assert (platform.edits, platform.texts) == ([("p1", A)], [B])
    assert [each.id for each in sent] == ["p1", "id1"]


async def test_code_that_is_cut_is_closed_and_opened_again() -> None:
    platform, sender = made(text=Text(limit=64, dialect="discord"))
    code = "\n".join(["x = 1 " * 4] * 4)
    await deliver(sender, message(f"```py\n{code}\n```", markup="markdown"))
    shown = [platform.edits[0][1], *platform.texts]
    assert len(shown) > 1
    assert all(each.startswith("```py\n") and each.endswith("\n```") for each in shown)


async def test_files_follow_the_text_that_takes_a_previews_place() -> None:
    platform, sender = made()
    file = Attachment("media:1")
    await deliver(sender, message("look", attachments=[file]))
    assert platform.edits == [("p1", "look")]
    assert [(each.text, each.attachments) for each in platform.sent] == [("", [file])]


async def test_what_was_done_at_earlier_attempts_is_not_edited_again() -> None:
    platform, sender = made()
    await deliver(sender, message(f"{A}\n\n{B}"), texts=[A, B], sent=[Sent("p1", "7", 1)])
    assert (platform.edits, platform.texts) == ([], [B])


@pytest.mark.parametrize("reason", ["not_found", "forbidden", "invalid"])
async def test_a_message_that_is_gone_is_sent_anew(reason: Any) -> None:
    platform, sender = made()
    platform.refusals.append(SendFailed("gone", reason=reason))
    (sent,) = await deliver(sender, message("all"))
    assert (platform.edits, platform.texts, sent.id) == ([], ["all"], "id1")


@pytest.mark.parametrize(
    "error", [MaybeSent("?"), SendFailed("429", retry_after=3.0), SendFailed(reason="unavailable")]
)
async def test_an_edit_that_may_be_repeated_is_not_sent_anew(error: Exception) -> None:
    platform, sender = made()
    platform.refusals.append(error)
    with pytest.raises(SendFailed) as found:
        await deliver(sender, message("all"))
    assert (found.value.retryable, found.value.maybe_sent) == (True, False)
    assert platform.sent == []


async def test_a_preview_is_one_message_under_its_own_key() -> None:
    platform, sender = made()
    attempt = SendAttempt(message(f"{A}\n\n{B}"), 1, preview=True)
    await sender.deliver(attempt, lambda texts, sent: None)
    assert [(each.text, each.key, each.part) for each in platform.sent] == [(A, "k", None)]


async def test_a_preview_shows_as_much_as_fits_with_what_is_open_closed() -> None:
    platform, sender = made(text=Text(limit=64, dialect="discord"))
    await sender.show(edit("```py\n" + "x = 1\n" * 30))
    ((_, text),) = platform.edits
    assert len(text) <= 64
    assert text.endswith("\n```")


@pytest.mark.virtual_time
async def test_previews_give_way_to_everything_else() -> None:
    platform, sender = made(Pace(chat=Rate(1, 2.0)))
    await sender.show(edit("one"))
    with pytest.raises(NotYet) as paced:
        await sender.show(edit("two"))
    assert paced.value.retry_after == pytest.approx(2.0)
    platform.gate.clear()
    sending = asyncio.ensure_future(sender.send(message("hi", to="8")))
    await asyncio.sleep(0)
    with pytest.raises(NotYet):
        await sender.show(edit("two", "8"))
    platform.gate.set()
    await sending
    assert [text for _, text in platform.edits] == ["one"]


@pytest.mark.virtual_time
async def test_an_answer_waits_for_the_edit_before_it() -> None:
    platform, sender = made()
    platform.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sender.show(edit("so far")))
        await asyncio.sleep(1)
        tasks.create_task(deliver(sender, message("all")))
        await asyncio.sleep(1)
        platform.gate.set()
    assert [text for _, text in platform.edits] == ["so far", "all"]


@pytest.mark.virtual_time
async def test_an_edit_that_hangs_is_given_up_for_the_answer() -> None:
    platform, sender = made()
    platform.gate.clear()
    with pytest.raises(TimeoutError):
        await sender.show(edit("so far"))
    platform.gate.set()
    await deliver(sender, message("all"))
    assert platform.edits == [("p1", "all")]
