"""Parses the common parts of requests of clients: a cursor, a chat, its session, files."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ipc.errors import FrameError, RemoteError
from ipc.frames.cursors import Cursor, parse_cursor
from ipc.frames.words import INVALID_REQUEST, agent_key
from ipc.media import media_id
from runtime.gateway.conversations.origins import chat_in
from runtime.gateway.journal.conversations import Session, SessionFilter
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.runs import MAX_FILES_BYTES, ReplyTarget
from runtime.gateway.outbox.lending import GONE, FileLending
from runtime.gateway.parts import GatewayParts
from workers.messages import Attachment

SEND_POLICY = "sendPolicy"  # a session's setting: ``deny`` refuses deliveries
MOST_FILES = 100  # of one message
FOUND_SESSIONS = 500  # of a chat: one, or one for each of its threads
Word = Annotated[str, Meta(max_length=512)]
Key = Annotated[str, Meta(min_length=1, max_length=512)]  # of a session


Free = Annotated[dict[str, Any], Meta(max_length=256)]  # fields of the client's choice


class FileParams(msgspec.Struct, rename="camel"):
    """A file in a request: base64 in ``content``, or a stored file by ``url`` and ``account``.

    These are ours: an address ``media:<id>`` and the key of the account whose file it is. Other
    fields are accepted and ignored.
    """

    content: str = ""
    mime_type: str | None = None
    file_name: str | None = None
    url: str = ""
    account: str = ""

    @property
    def is_stored(self) -> bool:
        """Whether it is a stored file."""
        return bool(self.url) and not self.content


Files = Annotated[list[FileParams], Meta(max_length=MOST_FILES)]


def cursor_in(method: str, text: str) -> Cursor:
    """Parse the cursor in a request; raises ``RemoteError``."""
    try:
        return parse_cursor(text)
    except FrameError as error:
        raise RemoteError(INVALID_REQUEST, f"invalid {method} params: {error}") from None


def file_named(url: str) -> Attachment:
    """Return a file of a message; a path, as OpenClaw's command line has it, is one of this host.

    Whether it may be read is decided where it is: ``docs/media.md``.
    """
    return Attachment(url=Path(url).as_uri() if url.startswith("/") else url)


async def session_of_chat(
    parts: GatewayParts, journal: Journal, agent: str, target: ReplyTarget
) -> str:
    """Return the key of an agent's conversation in a chat: the one that is there, or a direct one.

    A chat in which nothing was said yet is taken for a direct one: its id does not show more.
    """
    which = SessionFilter(agent=agent, account=target.account, to=target.to)
    found, _ = await journal.sessions(which, FOUND_SESSIONS)
    for each in found:
        if each.thread == target.thread:
            return each.key
    return parts.reception.direct_key(agent, target)


def target_of(
    parts: GatewayParts,
    method: str,
    channel: str | None,
    account: str | None,
    to: str | None,
    thread: str | None,
) -> ReplyTarget:
    """Return the target of an answer; raises ``RemoteError`` if it cannot be found."""
    accounts = parts.accounts
    channel = channel or accounts.only_channel()
    if channel not in accounts.channels:
        raise unknown_channel(parts, method, channel)
    key = accounts.resolve(method, channel, account)
    if not to:
        text = f"Delivering to {accounts.label(key)} requires target <chatId>"
        raise RemoteError(INVALID_REQUEST, text)
    return ReplyTarget(key, chat_in(channel, to), thread)


def unknown_channel(parts: GatewayParts, method: str, channel: str) -> RemoteError:
    """Return the error for a channel that does not exist, which names those that do."""
    text = f"invalid {method} params: unknown channel: {channel[:128]}"
    return parts.accounts.unknown_channel(text, channel)


async def resolve_files(
    parts: GatewayParts, agent: str, given: Sequence[FileParams]
) -> list[Attachment]:
    """Return the files of a request as an agent can open them; raises ``RemoteError``."""
    lending = FileLending(Path(parts.boot.state_dir))
    carried = iter(files_of([each for each in given if not each.is_stored]))
    taken: list[Attachment] = []
    for each in given:
        if not each.is_stored:
            taken.append(next(carried))
            continue
        if media_id(each.url) is None or each.account not in parts.accounts.rows:
            text = "attachment: url must be media:<id>, and account the key of its account"
            raise RemoteError(INVALID_REQUEST, text)
        stored = Attachment(each.url, each.mime_type, each.file_name)
        (lent,) = await lending.link(each.account, agent_key(agent), [stored])
        if not lent.url:
            raise RemoteError(INVALID_REQUEST, f"attachment {each.url}: {GONE}")
        taken.append(lent)
    return taken


def files_of(given: Sequence[FileParams]) -> list[Attachment]:
    """Check the files of a request, and return them with ``data:`` URLs; raises ``RemoteError``."""
    size, files = 0, []
    for each in given:
        name = each.file_name or "file"
        text = each.content.partition(";base64,")[2] or each.content
        size += len(text)
        if size > MAX_FILES_BYTES:
            text = f"attachment {name}: all files together exceed {MAX_FILES_BYTES} bytes"
            raise RemoteError(INVALID_REQUEST, text)
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise RemoteError(
                INVALID_REQUEST, f"Error: attachment {name}: invalid base64 content"
            ) from None
        mime = each.mime_type or "application/octet-stream"
        url = f"data:{mime};base64,{text}"
        files.append(Attachment(url, mime, each.file_name, len(raw)))
    return files


def require_sending(session: Session) -> None:
    """Raise ``RemoteError`` if the session's policy forbids answers to its chat."""
    if session.settings.get(SEND_POLICY) == "deny":
        raise RemoteError(INVALID_REQUEST, "send blocked by session policy")
