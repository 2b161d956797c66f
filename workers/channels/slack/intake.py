"""Emits the messages of envelopes, and acknowledges each envelope once they are stored.

Slack resends an envelope that was not acknowledged within 3 s: at once, after one minute, and
after five. A resent envelope is never dropped, but what this worker has already emitted is not
emitted twice: the envelope then shares the first receipt. What an earlier worker has emitted the
gateway recognizes by its id.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from ipc.nesting import MALFORMED, decode_json
from workers.channels.slack.connection import SlackConnection
from workers.channels.slack.downloads import SlackDownloads
from workers.channels.slack.names import SlackNames
from workers.channels.slack.objects import (
    NOTHING,
    AnyNews,
    BotIdentity,
    Envelope,
    EventPayload,
    InteractionPayload,
    MemberNews,
    MessageNews,
    ReactionNews,
    RenamedNews,
    SlackFile,
)
from workers.channels.slack.refusals import INSTALL_AGAIN
from workers.channels.slack.translation import (
    member_of,
    news_of,
    pressed_of,
    reaction_of,
    renamed_of,
)
from workers.errors import NeedsLogin
from workers.messages import Happened, Inbound
from workers.plugin import Context, Receipt

MAX_WAITING = 1_000  # envelopes; more than so many are left to be sent again
MAX_BYTES = 8 * 1024 * 1024  # of their payloads
REMEMBERED = 5_000  # ids; Slack sends again for six minutes
ENDS = frozenset({"tokens_revoked", "app_uninstalled"})


class _HeldEnvelope(NamedTuple):
    """An envelope, and the connection that it came over."""

    connection: SlackConnection
    envelope: Envelope


class SlackNews(NamedTuple):
    """The content of an event, and its files, which are not stored yet."""

    what: Inbound | Happened
    files: Sequence[SlackFile] = ()


class EnvelopeIntake:
    """Receives envelopes for the bot ``me``; ``waiting`` counts those not emitted yet."""

    def __init__(
        self, ctx: Context, me: BotIdentity, downloads: SlackDownloads, names: SlackNames
    ) -> None:
        self._ctx = ctx
        self._me = me
        self._downloads = downloads
        self._names = names
        self._queue: asyncio.Queue[_HeldEnvelope] = asyncio.Queue()
        self._bytes = 0
        self._unacknowledged: asyncio.Queue[tuple[_HeldEnvelope, Receipt]] = asyncio.Queue()
        self._handed_in: OrderedDict[str, Receipt] = OrderedDict()
        self._full = False
        self.current: SlackConnection | None = None  # acknowledges for those that are over

    @property
    def waiting(self) -> int:
        """Envelopes that are not emitted yet."""
        return self._queue.qsize()

    def put(self, connection: SlackConnection, envelope: Envelope) -> None:
        """Queue an envelope for emission; if the queue is full, leave it to be resent."""
        full = self.waiting >= MAX_WAITING or self._bytes >= MAX_BYTES
        if full and not self._full:
            self._ctx.log.warning(
                "the queue is full: Slack has to resend new events", waiting=self.waiting
            )
        self._full = full or (self._full and self.waiting > 0)
        if not full:
            self._bytes += len(envelope.payload)
            self._queue.put_nowait(_HeldEnvelope(connection, envelope))

    async def emit_all(self) -> None:
        """Emit queued envelopes in order until cancelled.

        Raises ``NeedsLogin`` when the app was removed from the workspace.
        """
        while True:
            waiting = await self._queue.get()
            receipt = await self._emit(waiting.envelope)
            self._bytes -= len(waiting.envelope.payload)
            if receipt is None:
                await self._acknowledge(waiting)
            else:
                self._unacknowledged.put_nowait((waiting, receipt))

    async def resolve_names(self) -> None:
        """Look up names that messages lack, until cancelled."""
        await self._names.resolve_all()

    async def acknowledge_all(self) -> None:
        """Acknowledge envelopes once they are stored, until cancelled; a late one does no harm."""
        while True:
            waiting, receipt = await self._unacknowledged.get()
            await receipt
            await self._acknowledge(waiting)

    async def _acknowledge(self, waiting: _HeldEnvelope) -> None:
        connection, envelope = waiting
        name = envelope.envelope_id or ""
        if not await connection.acknowledge(name) and self.current is not None:
            await self.current.acknowledge(name)

    async def _emit(self, envelope: Envelope) -> Receipt | None:
        """Emit the content of an envelope; return its receipt, ``None`` if it has no content."""
        try:
            found = self._read(envelope)
        except MALFORMED as error:
            self._ctx.log.warning("an event is not understood", error=str(error))
            return None
        receipt: Receipt | None = None
        for each in found:
            receipt = await self._emit_once(each)
        return receipt

    async def _emit_once(self, news: SlackNews) -> Receipt:
        name = news.what.id or ""
        if (known := self._handed_in.get(name)) is not None:
            return known
        what = await self._with_files(news)
        receipt = await self._ctx.emit(self._names.named(what))
        self._handed_in[name] = receipt
        while len(self._handed_in) > REMEMBERED:
            self._handed_in.popitem(last=False)
        return receipt

    async def _with_files(self, news: SlackNews) -> Inbound | Happened:
        if not news.files or not isinstance(news.what, Inbound):
            return news.what
        attachments = await self._downloads.download(news.files)
        return msgspec.structs.replace(news.what, attachments=attachments)

    def _read(self, envelope: Envelope) -> Sequence[SlackNews]:
        if envelope.type == "interactive":
            pressed = pressed_of(decode_json(envelope.payload, InteractionPayload))
            return [SlackNews(each) for each in pressed]
        if envelope.type != "events_api":
            self._ctx.log.debug("an envelope that is not used", type=envelope.type)
            return []
        payload = decode_json(envelope.payload, EventPayload)
        if payload.type == "app_rate_limited":
            self._ctx.log.warning("Slack holds events back: more than 30,000 in an hour")
        if payload.event == NOTHING:
            return []
        kind = decode_json(payload.event, AnyNews).type
        if kind in ("message", "app_mention"):
            news = decode_json(payload.event, MessageNews)
            said = news_of(news, self._me)
            # Those of a message that was edited came with the message.
            return [] if said is None else [SlackNews(said, news.files or ())]
        found = self._read_other(kind, payload.event)
        return [] if found is None else [SlackNews(found)]

    def _read_other(self, kind: str, event: msgspec.Raw) -> Happened | None:
        match kind:
            case "reaction_added" | "reaction_removed":
                return reaction_of(decode_json(event, ReactionNews), self._me)
            case "member_joined_channel" | "member_left_channel":
                return member_of(decode_json(event, MemberNews))
            case "channel_rename" | "group_rename":
                return renamed_of(decode_json(event, RenamedNews))
            case _ if kind in ENDS:
                raise NeedsLogin(
                    f"the app was removed from the workspace ({kind}); {INSTALL_AGAIN}"
                )
        return None
