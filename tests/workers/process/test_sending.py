from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from workers.errors import MaybeSent, SendFailed
from workers.messages import Action, Attachment, Button, Outbound, Poll, Sent
from workers.plugin import Pace, Rate, Text
from workers.process.attempts import SendAttempt
from workers.process.sending import LONG_TEXT, MOST_WAITING, WAIT_HERE, NotYet, PartSender

TEXT = Text(limit=64, caption=64, dialect="telegram-html")
A, B, C = "a" * 60, "b" * 60, "c" * 60


class Platform:
    """Remembers what it was sent; the next sends raise ``failures``."""

    def __init__(self) -> None:
        self.sent: list[Outbound] = []
        self.times: list[float] = []
        self.failures: list[Exception | None] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, message: Outbound) -> Sent:
        await self.gate.wait()
        if self.failures and (error := self.failures.pop(0)) is not None:
            raise error
        self.sent.append(message)
        self.times.append(asyncio.get_running_loop().time())
        return Sent(id=f"id{len(self.sent)}", chat=message.to, ts=1)

    @property
    def texts(self) -> list[str]:
        return [each.text for each in self.sent]


def made(
    text: Text = TEXT, pace: Pace | None = None, is_group: Callable[[str], bool] | None = None
) -> tuple[Platform, PartSender]:
    platform = Platform()
    return platform, PartSender(platform.send, text, pace or Pace(), is_group=is_group)


def message(text: str, key: str = "k", to: str = "7", **fields: object) -> Outbound:
    return Outbound(to=to, text=text, key=key, **fields)  # type: ignore[arg-type]


async def test_a_channel_that_declares_nothing_gets_the_message_itself() -> None:
    platform, sender = made(Text())
    whole = message("x" * 10_000)
    await sender.send(whole)
    assert platform.sent[0] is whole


async def test_a_long_text_goes_in_parts_with_keys_of_their_own() -> None:
    platform, sender = made()
    sent = await sender.send(message(f"{A}\n\n{B}\n\n{C}", reply_to="7/1", thread="9"))
    assert platform.texts == [A, B, C]
    assert [each.key for each in platform.sent] == ["k/1", "k/2", "k/3"]
    assert [each.part for each in platform.sent] == [(1, 3), (2, 3), (3, 3)]
    assert [each.reply_to for each in platform.sent] == ["7/1", None, None]
    assert [each.thread for each in platform.sent] == ["9", "9", "9"]
    assert (sent.id, sent.parts) == ("id1", 3)


async def test_a_short_text_keeps_its_key() -> None:
    platform, sender = made()
    await sender.send(message("*hi* <", markup="markdown"))
    (part,) = platform.sent
    assert (part.text, part.markup, part.key, part.part) == (
        "<i>hi</i> &lt;",
        "markdown",
        "k",
        None,
    )


async def test_markdown_for_a_platform_without_markup_is_plain() -> None:
    platform, sender = made(Text())
    await sender.send(message("*hi* <", markup="markdown"))
    assert (platform.sent[0].text, platform.sent[0].markup) == ("hi <", "plain")


async def test_buttons_go_with_the_last_part_and_a_poll_by_itself() -> None:
    platform, sender = made()
    buttons = [[Button("yes", data="y")]]
    await sender.send(message(f"{A}\n\n{B}", buttons=buttons))
    await sender.send(message("vote", "k2", poll=Poll("which?", ["a", "b"])))
    await sender.send(message("", "k3", poll=Poll("which?", ["a", "b"])))
    assert [len(each.buttons) for each in platform.sent[:2]] == [0, 1]
    assert [(each.text, each.poll is not None) for each in platform.sent[2:]] == [
        ("vote", False),
        ("", True),
        ("", True),
    ]


async def test_a_file_goes_with_a_text_that_fits_below_it() -> None:
    platform, sender = made(Text(limit=200, caption=64))
    files = [Attachment(url="https://a.example/b")]
    await sender.send(message("short", attachments=files))
    await sender.send(message(f"{A} {B}", "k2", attachments=files))
    await sender.send(message("", "k3", attachments=files))
    assert platform.texts == ["short", "", f"{A} {B}", ""]
    assert [len(each.attachments) for each in platform.sent] == [1, 1, 0, 1]


@pytest.mark.parametrize(
    "error",
    [SendFailed("down", reason="unavailable"), MaybeSent("no answer"), RuntimeError("a mistake")],
)
async def test_what_was_sent_is_not_sent_again(error: Exception) -> None:
    platform, sender = made()
    whole = message(f"{A}\n\n{B}\n\n{C}")
    platform.failures = [None, error]
    with pytest.raises(type(error)) as found:
        await sender.send(whole)
    if isinstance(error, SendFailed):
        assert str(found.value).startswith("1 of 3 parts were sent; then: ")
    assert platform.texts == [A]
    sent = await sender.send(whole)
    assert platform.texts == [A, B, C]
    assert (sent.id, sent.parts) == ("id1", 3)


async def test_another_key_is_another_message() -> None:
    platform, sender = made()
    platform.failures = [None, SendFailed("down")]
    with pytest.raises(SendFailed):
        await sender.send(message(f"{A}\n\n{B}"))
    await sender.send(message(f"{A}\n\n{B}", "k2"))
    assert platform.texts == [A, A, B]


async def test_parts_of_two_messages_to_one_chat_are_not_mixed() -> None:
    platform, sender = made()
    platform.gate.clear()
    first = asyncio.ensure_future(sender.send(message(f"{A}\n\n{B}", "k1")))
    second = asyncio.ensure_future(sender.send(message(f"{C}\n\n{A}", "k2")))
    await asyncio.sleep(0)
    platform.gate.set()
    await asyncio.gather(first, second)
    assert platform.texts == [A, B, C, A]
    assert sender._turns == {}  # a leak shows nowhere else


async def test_one_chat_does_not_wait_for_another() -> None:
    platform, sender = made()
    async with sender._turn("7"):  # another send that takes its turn
        await sender.send(message("x", to="8"))
    assert platform.texts == ["x"]


async def test_one_chat_does_not_occupy_all_places() -> None:
    platform, sender = made()
    platform.gate.clear()
    tasks = [
        asyncio.ensure_future(sender.send(message("x", f"k{number}")))
        for number in range(MOST_WAITING + 3)
    ]
    refused, *_ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in refused:
        with pytest.raises(SendFailed, match="16 messages wait for 7 already") as found:
            await task
        assert found.value.reason == "rate_limited"
    await asyncio.sleep(0)
    assert sum(task.done() for task in tasks) == 2, "one is being sent, so many wait"
    platform.gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(platform.sent) == MOST_WAITING + 1


@pytest.mark.virtual_time
async def test_the_pace_is_kept() -> None:
    platform, sender = made(TEXT, Pace(chat=Rate(1)))
    began = asyncio.get_running_loop().time()
    await asyncio.gather(
        sender.send(message(f"{A}\n\n{B}", "k1")),
        sender.send(message("x", "k2")),
        sender.send(message("y", "k3", to="8")),
    )
    waited = {each.text: at - began for each, at in zip(platform.sent, platform.times, strict=True)}
    assert {text: round(at) for text, at in waited.items()} == {A: 0, B: 1, "x": 2, "y": 0}


@pytest.mark.virtual_time
async def test_groups_have_a_pace_of_their_own() -> None:
    platform, sender = made(TEXT, Pace(group=Rate(1, 10)), is_group=lambda chat: chat < "0")
    for number, to in enumerate(["-1", "1", "1", "-1"]):
        await sender.send(message("x", f"k{number}", to))
    assert [round(at - platform.times[0]) for at in platform.times] == [0, 0, 0, 10]


@pytest.mark.virtual_time
async def test_a_long_wait_is_refused_with_the_time_of_the_next_try() -> None:
    platform, sender = made()
    platform.failures = [SendFailed("slowly", reason="rate_limited", retry_after=7200)]
    with pytest.raises(SendFailed, match="slowly"):
        await sender.send(message("x"))
    await asyncio.sleep(100)
    with pytest.raises(SendFailed) as found:
        await sender.send(message("x"))
    assert found.value.reason == "rate_limited"
    assert found.value.retry_after == pytest.approx(7100)
    assert found.value.retryable
    await sender.send(message("y", "k2", to="8"))
    await asyncio.sleep(7100 - WAIT_HERE / 2)
    await sender.send(message("x"))
    assert platform.texts == ["y", "x"]


@pytest.mark.virtual_time
async def test_the_whole_account_may_be_held() -> None:
    platform, sender = made()
    platform.failures = [
        SendFailed("slowly", reason="rate_limited", retry_after=10, scope="account")
    ]
    with pytest.raises(SendFailed):
        await sender.send(message("x"))
    began = asyncio.get_running_loop().time()
    await sender.send(message("y", "k2", to="8"))
    assert asyncio.get_running_loop().time() - began == pytest.approx(10)
    assert platform.texts == ["y"]


async def test_a_very_long_text_does_not_hold_the_loop() -> None:
    platform, sender = made(Text(limit=4096))
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    await sender.send(message("*a* " * LONG_TEXT, markup="markdown"))
    turning.cancel()
    assert turns > 5 * len(platform.sent)


def delivery(text: str, key: str = "k", **more: Any) -> SendAttempt:
    return SendAttempt(message(text, key), 1, **more)


async def test_what_the_gateway_keeps_is_reported_part_by_part() -> None:
    platform, sender = made()
    came: list[tuple[int, int]] = []
    sent = await sender.deliver(
        delivery(f"{A}\n\n{B}\n\n{C}"), lambda texts, sent: came.append((len(texts), len(sent)))
    )
    assert platform.texts == [A, B, C]
    assert came == [(3, 0), (3, 1), (3, 2)]
    assert [each.id for each in sent] == ["id1", "id2", "id3"]


async def test_an_attempt_sends_the_stored_parts_from_the_first_that_was_not_sent() -> None:
    platform, sender = made()
    before = [Sent("earlier", "7", 1)]
    came: list[Any] = []
    sent = await sender.deliver(
        delivery("rendered otherwise now", texts=[A, B], sent=before),
        lambda texts, sent: came.append(texts),
    )
    assert platform.texts == [B]
    assert [each.key for each in platform.sent] == ["k/2"]
    assert [each.id for each in sent] == ["earlier", "id1"]
    assert came == []


async def test_a_message_to_a_held_chat_is_refused_at_once_with_the_time() -> None:
    platform, sender = made()
    platform.failures = [SendFailed("slow", reason="rate_limited", retry_after=7200)]
    for _ in range(2):
        with pytest.raises(SendFailed) as found:
            await sender.deliver(delivery("hi"), lambda texts, sent: None)
    assert isinstance(found.value, NotYet)
    assert found.value.retry_after == pytest.approx(7200, abs=60)
    assert platform.sent == []


async def test_plain_text_is_escaped_where_the_platform_reads_marks_in_every_text() -> None:
    platform, sender = made(Text(dialect="discord"))
    await sender.send(message("*a* <@7>"))
    platform_of_parts, parts = made(Text(limit=64, dialect="mrkdwn"))
    await parts.send(message("<" * 40, "k2"))
    assert platform.texts == [r"\*a\* \<@7>"]
    assert [len(each) for each in platform_of_parts.texts] == [64, 64, 32], "split when escaped"


@pytest.mark.parametrize(
    ("dialect", "markup", "source", "text", "arrives_as"),
    [
        ("telegram-html", "markdown", "**a** <", "<b>a</b> &lt;", "markdown"),
        ("telegram-html", "plain", "**a** <", "**a** <", "plain"),
        ("discord", "plain", "**a**", r"\*\*a\*\*", "plain"),
        ("mrkdwn", "markdown", "**a**", "*a*", "markdown"),
        ("plain", "markdown", "**a**", "a", "plain"),
    ],
)
async def test_the_text_of_an_edit_is_rendered(
    dialect: Any, markup: Any, source: str, text: str, arrives_as: str
) -> None:
    _, sender = made(Text(limit=64, dialect=dialect))
    edit = Action(name="edit", key="k", message="1", text=source, markup=markup)
    rendered = await sender.rendered_edit(edit)
    assert (rendered.text, rendered.markup, rendered.message) == (text, arrives_as, "1")
    with pytest.raises(SendFailed, match="64 characters of one message") as found:
        await sender.rendered_edit(Action(name="edit", key="k", text="x" * 65, markup=markup))
    assert found.value.reason == "too_long"


async def test_an_edit_of_a_channel_that_declares_nothing_stays_as_it_is() -> None:
    _, sender = made(Text())
    edit = Action(name="edit", key="k", text="  **a**  ")
    assert await sender.rendered_edit(edit) is edit
