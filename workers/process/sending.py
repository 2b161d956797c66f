"""Sends messages through the plugin: rendered, in parts that fit, at the platform's pace.

Each part is sent once: when a message is retried by its key, parts sent before are not sent again.
The parts rendered at the first try are used for all later ones.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec

from ipc import timeouts
from ipc.epoch import now_ms
from workers.errors import SendFailed
from workers.messages import Action, Outbound, Sent
from workers.process.attempts import Progress, SendAttempt
from workers.process.calls import EditPart, SendPart
from workers.text.limits import Pace, Text
from workers.text.pacing import Pacer
from workers.text.rendering import PLAIN_DIALECTS, Markup, render

WAIT_HERE = 20.0  # seconds; a longer wait is reported with the time of the next try
# For a message that the gateway keeps meanwhile. What waits here when this process is killed counts
# as perhaps sent; but each answer "not yet" costs the gateway two commits, and the tokens of an
# account's pace come some 30 a second.
WAIT_KEPT = 0.1
MOST_WAITING = 16  # messages to one chat; more would take the places of other chats' calls
MOST_UNFINISHED = 1_000  # messages of which some parts were sent, remembered at once
EDIT_SECONDS = 10.0  # of a preview; what is sent to the chat waits for it
PAUSE_SECONDS = 1.0  # until a preview is edited that others have gone before
LONG_TEXT = 16 * 1024  # characters; rendering one takes long enough to do it on a thread


class NotYet(SendFailed):
    """The rate limits or the platform accept nothing for this chat before ``retry_after``."""

    flag = "notYet"


class _Unfinished(msgspec.Struct):
    """A partially sent message: its parts, and the results of those sent."""

    parts: list[Outbound]
    sent: list[Sent] = msgspec.field(default_factory=list)


class PartSender:
    """Sends the messages of one account.

    ``send`` and ``edit`` are the plugin's; ``is_group`` says whether a group's rate limit applies
    to a chat.
    """

    def __init__(
        self,
        send: SendPart,
        text: Text,
        pace: Pace,
        *,
        edit: EditPart | None = None,
        is_group: Callable[[str], bool] | None = None,
    ) -> None:
        self._send = send
        self._edit = edit
        self._text = text
        # Plain text goes to ``send`` at once where the channel declares nothing that concerns it.
        self._direct = not text.limit and pace == Pace() and text.dialect not in PLAIN_DIALECTS
        self._loop = asyncio.get_running_loop()
        self._pacer = Pacer(pace, self._loop.time())
        self._is_group = is_group or _never
        self._unfinished: OrderedDict[str, _Unfinished] = OrderedDict()
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}  # and how many want each
        self._paced = 0  # messages that wait for their pace

    def send(self, message: Outbound) -> Awaitable[Sent]:
        """Send the unsent parts of ``message`` when awaited; return the first part's id.

        Raises what the plugin raises, and ``SendFailed`` with ``retry_after`` if the rate limits
        would delay the message for too long.
        """
        if message.markup == "plain" and self._direct:
            return self._send(message)
        return self._send_in_turn(message)

    async def deliver(self, delivery: SendAttempt, progress: Progress) -> list[Sent]:
        """Send the parts that earlier attempts did not send; return the result of each.

        ``progress(texts, sent)`` is called with the rendered parts before the first of several is
        sent, and after each but the last. Raises what the plugin raises, and ``NotYet``.
        """
        message, edit = delivery.message, delivery.edit if self._edit is not None else ""
        if message.markup == "plain" and self._direct and not edit:
            return [await self._send(message)]
        async with self._turn(message.to):
            parts = await self._parts(message, delivery.texts, edit=bool(edit))
            if delivery.preview:
                parts = [msgspec.structs.replace(parts[0], key=message.key, part=None)]
            sent = list(delivery.sent[: len(parts)])
            texts = [part.text for part in parts]
            if len(parts) > 1 and not delivery.texts:
                progress(texts, sent)
            while len(sent) < len(parts):
                if edit and not sent and parts[0].text:
                    sent.append(await self._replace(edit, parts[0]))
                else:
                    sent.append(await self._send_one(parts[len(sent)], WAIT_KEPT))
                if len(sent) < len(parts):
                    progress(texts, sent)
            return sent

    async def show(self, edit: Action) -> None:
        """Show the beginning of an unfinished answer, as much as fits in one message.

        Raises ``NotYet`` if other messages are waiting, and what the plugin raises.
        """
        chat = edit.chat or ""
        now, group = self._loop.time(), self._is_group(chat)
        busy = chat in self._turns or self._paced
        until = self._pacer.not_yet_until(now, chat, group=group)
        if busy or until is not None or not self._pacer.reserve(now, chat, group=group):
            wait = PAUSE_SECONDS if until is None else until - now
            raise NotYet("other messages go first", reason="rate_limited", retry_after=wait)
        async with self._turn(chat):
            texts = await self._rendered_texts(edit.text, edit.markup)
            if texts and self._edit is not None:
                made = msgspec.structs.replace(
                    edit, text=texts[0], markup=self._rendered(edit.markup)
                )
                async with timeouts.timeout(EDIT_SECONDS):
                    await self._edit_one(made)

    async def rendered_edit(self, edit: Action) -> Action:
        """Return an edit with its text rendered. Raises ``SendFailed`` if it is too long."""
        if edit.markup == "plain" and self._direct:
            return edit
        texts = await self._rendered_texts(edit.text, edit.markup)
        if len(texts) > 1:
            text = f"the new text has more than the {self._text.limit} characters of one message"
            raise SendFailed(text, reason="too_long")
        return msgspec.structs.replace(
            edit, text="".join(texts), markup=self._rendered(edit.markup)
        )

    async def _rendered_texts(self, text: str, markup: Markup) -> list[str]:
        if len(text) > LONG_TEXT:
            return await asyncio.to_thread(render, text, self._text, markup)
        return render(text, self._text, markup)

    def _rendered(self, markup: Markup) -> Markup:
        """Return the markup in which the plugin gets a text of this markup."""
        return "plain" if self._text.dialect == "plain" else markup

    async def _send_in_turn(self, message: Outbound) -> Sent:
        async with self._turn(message.to):
            return await self._send_parts(message)

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
        await self._wait_for_pace(part.to, patience)
        try:
            sent = await self._send(part)
        except SendFailed as error:
            self._hold(error, part.to)
            raise
        if not isinstance(sent, Sent):
            raise TypeError(f"send returned {type(sent).__name__} instead of Sent")
        return sent

    async def _replace(self, edited: str, part: Outbound) -> Sent:
        """Replace the text of a message; send a new one if it can no longer be edited."""
        await self._wait_for_pace(part.to, WAIT_KEPT)
        name, chat, thread = f"{part.key}/edit", part.to, part.thread
        action = Action("edit", name, chat, edited, part.text, markup=part.markup, thread=thread)
        try:
            await self._edit_one(action)
        except SendFailed as error:
            if error.maybe_sent:  # the same text once more changes nothing
                raise SendFailed(str(error), reason="unavailable") from None
            if error.retryable:
                raise
            return await self._send_one(part, WAIT_KEPT)
        return Sent(edited, part.to, now_ms())

    async def _edit_one(self, action: Action) -> None:
        assert self._edit is not None
        try:
            await self._edit(action)
        except SendFailed as error:
            self._hold(error, action.chat or "")
            raise

    def _hold(self, error: SendFailed, chat: str) -> None:
        """Pause sends until the time for which a platform asked to wait."""
        if error.retry_after is not None:
            until = self._loop.time() + error.retry_after
            self._pacer.hold(until, chat if error.scope == "chat" else None)

    async def _wait_for_pace(self, chat: str, patience: float) -> None:
        group = self._is_group(chat)
        last = self._loop.time() + patience
        while not self._pacer.reserve(now := self._loop.time(), chat, group=group):
            until = self._pacer.not_yet_until(now, chat, group=group)
            if until is None:
                continue
            if until > last:
                raise NotYet(
                    f"the platform takes nothing for {chat} yet",
                    reason="rate_limited",
                    retry_after=until - now,
                )
            self._paced += 1
            try:
                await asyncio.sleep(until - now)
            finally:
                self._paced -= 1

    async def _parts(
        self, message: Outbound, texts: list[str] | None = None, *, edit: bool = False
    ) -> list[Outbound]:
        """Return the messages to send for one; ``texts`` are its parts if rendered before.

        A file goes with the first part if the text fits as its caption; buttons go with the last
        part; a poll is a separate message. If the first part is an ``edit``, files follow the text.
        """
        if texts:
            return self._make_parts(message, texts, edit=edit)
        if len(message.text) > LONG_TEXT:
            texts = await asyncio.to_thread(self._make_texts, message, edit)
        else:
            texts = self._make_texts(message, edit)
        return self._make_parts(message, texts, edit=edit)

    def _make_texts(self, message: Outbound, edit: bool = False) -> list[str]:
        text, markup = self._text, message.markup
        files = message.attachments
        if edit:
            texts = render(message.text, text, markup)
            return [*texts, ""] if files or not texts else texts
        texts = render(message.text, text, markup, caption=bool(files))
        if files and len(texts) > 1:  # too long to stand below the file
            texts = ["", *render(message.text, text, markup)]
        if message.poll is not None and texts:
            texts.append("")
        return texts or [""]

    def _make_parts(self, message: Outbound, texts: list[str], *, edit: bool) -> list[Outbound]:
        files = message.attachments
        rendered = self._rendered(message.markup)
        count = len(texts)
        with_files = count if edit else 1
        return [
            msgspec.structs.replace(
                message,
                text=part,
                markup=rendered,
                key=message.key if count == 1 else f"{message.key}/{number}",
                part=None if count == 1 else (number, count),
                attachments=files if number == with_files else [],
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
        """Admit one message at a time to a chat, in order of arrival."""
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
