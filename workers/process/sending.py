"""Send messages through the plugin: rendered, in parts that fit, at the platform's pace.

Each part is sent once: when a message is tried again by its key, what was sent before stays sent.
The parts that were made at the first try are those of all later ones.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec

from workers.errors import SendFailed
from workers.messages import Action, Outbound, Sent
from workers.process.attempts import Progress, SendAttempt
from workers.process.calls import SendPart
from workers.text.limits import Pace, Text
from workers.text.pacing import Pacer
from workers.text.rendering import PLAIN_DIALECTS, Markup, render

WAIT_HERE = 20.0  # seconds; whom the pace holds longer is told when to come again
# For a message that the gateway keeps meanwhile. What waits here when this process is killed is
# told as perhaps sent; but each answer "not yet" costs the gateway two commits, and the tokens of
# an account's pace come some 30 a second.
WAIT_KEPT = 0.1
MOST_WAITING = 16  # messages to one chat; more would take the places of other chats' calls
MOST_UNFINISHED = 1_000  # messages of which some parts were sent, remembered at once
LONG_TEXT = 16 * 1024  # characters; rendering one takes long enough to do it on a thread


class NotYet(SendFailed):
    """The pace, or the platform, takes nothing for this chat before ``retry_after`` has passed."""

    flag = "notYet"


@dataclass(slots=True)
class _Unfinished:
    """A message that was begun: its parts, and what came of the first of them."""

    parts: list[Outbound]
    sent: list[Sent] = field(default_factory=list)


class PartSender:
    """Sends the messages of one account.

    ``send`` is the plugin's; ``is_group`` tells to which chats the pace of groups applies.
    """

    def __init__(
        self,
        send: SendPart,
        text: Text,
        pace: Pace,
        *,
        is_group: Callable[[str], bool] | None = None,
    ) -> None:
        self._send = send
        self._text = text
        # Plain text goes to ``send`` at once where the channel declares nothing that concerns it.
        self._direct = not text.limit and pace == Pace() and text.dialect not in PLAIN_DIALECTS
        self._loop = asyncio.get_running_loop()
        self._pacer = Pacer(pace, self._loop.time())
        self._is_group = is_group or _never
        self._unfinished: OrderedDict[str, _Unfinished] = OrderedDict()
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}  # and how many want each

    async def send(self, message: Outbound) -> Sent:
        """Send what of ``message`` was not sent yet; return the first part's id.

        Raises what the plugin raises, and ``SendFailed`` with ``retry_after`` when the pace holds
        the message for longer than is waited here.
        """
        if message.markup == "plain" and self._direct:
            return await self._send(message)
        async with self._turn(message.to):
            return await self._send_parts(message)

    async def deliver(self, delivery: SendAttempt, progress: Progress) -> list[Sent]:
        """Send the parts that were not sent at earlier attempts; return what came of each.

        ``progress(texts, sent)`` is called with the rendered parts before the first of several is
        sent, and after each but the last. Raises what the plugin raises, and ``NotYet``.
        """
        message = delivery.message
        if message.markup == "plain" and self._direct:
            return [await self._send(message)]
        async with self._turn(message.to):
            parts = await self._parts(message, delivery.texts)
            sent = list(delivery.sent[: len(parts)])
            texts = [part.text for part in parts]
            if len(parts) > 1 and not delivery.texts:
                progress(texts, sent)
            while len(sent) < len(parts):
                sent.append(await self._send_one(parts[len(sent)], WAIT_KEPT))
                if len(sent) < len(parts):
                    progress(texts, sent)
            return sent

    async def rendered_edit(self, edit: Action) -> Action:
        """Return an edit with its text in the dialect. Raises ``SendFailed``: it is too long."""
        if edit.markup == "plain" and self._direct:
            return edit
        if len(edit.text) > LONG_TEXT:
            texts = await asyncio.to_thread(render, edit.text, self._text, edit.markup)
        else:
            texts = render(edit.text, self._text, edit.markup)
        if len(texts) > 1:
            text = f"the new text has more than the {self._text.limit} characters of one message"
            raise SendFailed(text, reason="too_long")
        return msgspec.structs.replace(
            edit, text="".join(texts), markup=self._rendered(edit.markup)
        )

    def _rendered(self, markup: Markup) -> Markup:
        """Return how the plugin gets a text that was written so."""
        return "plain" if self._text.dialect == "plain" else markup

    async def _send_parts(self, message: Outbound) -> Sent:
        begun = self._unfinished.pop(message.key, None) or _Unfinished(await self._parts(message))
        while len(begun.sent) < len(begun.parts):
            try:
                begun.sent.append(await self._send_one(begun.parts[len(begun.sent)]))
            except BaseException as error:
                self._keep(message.key, begun)
                if begun.sent and isinstance(error, SendFailed):
                    done = f"{len(begun.sent)} of {len(begun.parts)} parts were sent"
                    error.args = (f"{done}; then: {error}",)
                raise
        first = begun.sent[0]
        return msgspec.structs.replace(first, parts=sum(each.parts for each in begun.sent))

    async def _send_one(self, part: Outbound, patience: float = WAIT_HERE) -> Sent:
        await self._wait_for_turn(part.to, patience)
        try:
            sent = await self._send(part)
        except SendFailed as error:
            if error.retry_after is not None:
                until = self._loop.time() + error.retry_after
                self._pacer.hold(until, part.to if error.scope == "chat" else None)
            raise
        if not isinstance(sent, Sent):
            raise TypeError(f"send returned {type(sent).__name__} instead of Sent")
        return sent

    async def _wait_for_turn(self, chat: str, patience: float) -> None:
        group = self._is_group(chat)
        last = self._loop.time() + patience
        while not self._pacer.take(now := self._loop.time(), chat, group=group):
            until = self._pacer.not_yet_until(now, chat, group=group)
            if until is None:
                continue
            if until > last:
                raise NotYet(
                    f"the platform takes nothing for {chat} yet",
                    reason="rate_limited",
                    retry_after=until - now,
                )
            await asyncio.sleep(until - now)

    async def _parts(self, message: Outbound, texts: list[str] | None = None) -> list[Outbound]:
        """Return the messages to send for one; ``texts`` are theirs, if they were made before.

        A file goes with the first, if the text fits below it; buttons go with the last, and a
        poll is one of its own.
        """
        if texts:
            return self._make_parts(message, texts)
        if len(message.text) > LONG_TEXT:
            texts = await asyncio.to_thread(self._make_texts, message)
        else:
            texts = self._make_texts(message)
        return self._make_parts(message, texts)

    def _make_texts(self, message: Outbound) -> list[str]:
        text, markup = self._text, message.markup
        files = message.attachments
        texts = render(message.text, text, markup, caption=bool(files))
        if files and len(texts) > 1:  # too long to stand below the file
            texts = ["", *render(message.text, text, markup)]
        if message.poll is not None and texts:
            texts.append("")
        return texts or [""]

    def _make_parts(self, message: Outbound, texts: list[str]) -> list[Outbound]:
        files = message.attachments
        rendered = self._rendered(message.markup)
        count = len(texts)
        return [
            msgspec.structs.replace(
                message,
                text=part,
                markup=rendered,
                key=message.key if count == 1 else f"{message.key}/{number}",
                part=None if count == 1 else (number, count),
                attachments=files if number == 1 else [],
                reply_to=message.reply_to if number == 1 else None,
                buttons=message.buttons if number == count else [],
                poll=message.poll if number == count else None,
            )
            for number, part in enumerate(texts, 1)
        ]

    def _keep(self, key: str, begun: _Unfinished) -> None:
        if begun.sent:
            self._unfinished[key] = begun
            while len(self._unfinished) > MOST_UNFINISHED:
                self._unfinished.popitem(last=False)

    @asynccontextmanager
    async def _turn(self, chat: str) -> AsyncIterator[None]:
        """Let one message at a time go to a chat, in the order in which they came."""
        lock, waiting = self._turns.get(chat, (asyncio.Lock(), 0))
        if waiting > MOST_WAITING:
            raise SendFailed(
                f"{MOST_WAITING} messages wait for {chat} already",
                reason="rate_limited",
                retry_after=WAIT_HERE,
            )
        self._turns[chat] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._turns.pop(chat)
            if waiting > 1:
                self._turns[chat] = lock, waiting - 1


def _never(chat: str) -> bool:
    return False
