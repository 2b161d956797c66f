"""Defines sessions and their transcripts, as the journal keeps them. Pure.

A session is a conversation with an agent under a session key. Its row and its transcript change
by records of whatever key has part in it: a channel account, or ``agent:<id>``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from typing import Any, Literal, get_args

import msgspec

from runtime.config.sessions import PeerKind
from runtime.gateway.conversations.session_keys import kind_of
from workers.agent import ToolCall
from workers.messages import Attachment

Role = Literal["user", "assistant", "tool", "notice"]


class Session(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A conversation with an agent under a session key. Times are epoch milliseconds.

    ``id`` is a new one after each reset; the transcript since then is what comes after the entry
    ``since``. ``kind`` is what the key is of: ``main``, ``direct``, ``group`` … ``channel``,
    ``account`` (a key), ``to`` and ``thread`` are where it was last spoken. ``messages``, ``runs``
    and ``usage`` count since the reset. Agents are told what comes after the entry ``told_since``,
    behind the ``summary`` of what was before.
    """

    key: str
    agent: str
    id: str = ""
    kind: str = ""
    label: str = ""
    settings: dict[str, Any] = {}
    created: int = 0
    updated: int = 0
    since: int = 0
    messages: int = 0
    runs: int = 0
    usage: dict[str, Any] = {}
    channel: str = ""
    account: str = ""
    to: str = ""
    thread: str | None = None
    archived: bool = False
    archived_at: int = 0
    pinned: bool = False
    told_since: int = 0
    summary: str = ""


_OF_CHATS = frozenset(get_args(PeerKind))


def is_of_chat(key: str) -> bool:
    """Return whether a session key is one of a chat."""
    return kind_of(key) in _OF_CHATS


class SessionFilter(msgspec.Struct, frozen=True):
    """A filter of sessions, which must match all fields that are set.

    ``text`` stands somewhere in the key or the label, whatever its case. ``since``: changed then
    or later, epoch milliseconds. ``to`` is a chat of ``account`` that the session belongs to: not
    one of a client or a job that has only answered there.
    """

    agent: str | None = None
    id: str | None = None
    label: str | None = None
    text: str = ""
    archived: bool | None = None
    since: int = 0
    account: str | None = None
    to: str | None = None

    def matches(self, session: Session) -> bool:
        """Return whether a session matches the filter."""
        text = lowered(self.text)
        return (
            (self.agent is None or self.agent == session.agent)
            and (self.id is None or self.id == session.id)
            and (self.label is None or self.label == session.label)
            and (text in lowered(session.key) or text in lowered(session.label))
            and (self.archived is None or self.archived == session.archived)
            and session.updated >= self.since
            and (self.account is None or self.account == session.account)
            and (self.to is None or (self.to == session.to and is_of_chat(session.key)))
        )


class TranscriptEntry(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One entry of a transcript. ``at`` is epoch milliseconds.

    ``number`` is given by the journal: it grows in the order of storing, over all sessions, and is
    never used again. ``name`` is that of a tool, or of a person in a group, ``calls`` are those of
    tools that an agent has made, ``call`` is the id of the one whose result this is. ``chat`` and
    ``sender`` are the platform's ids of where and by whom it was said, empty where no platform has
    part in it.
    """

    role: Role
    text: str
    at: int = 0
    run: str = ""
    name: str = ""
    model: str = ""
    usage: dict[str, Any] = {}
    attachments: list[Attachment] = []
    chat: str = ""
    sender: str = ""
    calls: list[ToolCall] = []
    call: str = ""
    number: int = 0


class FoundEntry(msgspec.Struct, frozen=True):
    """An entry that a search has found, and the key of its session."""

    session: str
    entry: TranscriptEntry


class SessionChanged(msgspec.Struct, frozen=True):
    """A session was created or changed."""

    key: str
    session: Session


class SessionDeleted(msgspec.Struct, frozen=True):
    """A session was deleted with its transcript."""

    key: str
    session: str


class EntriesAdded(msgspec.Struct, frozen=True):
    """Entries of a session's transcript without the end of a run; ``changed`` is the session."""

    key: str
    session: str
    entries: list[TranscriptEntry]
    changed: Session | None = None


def words_of(text: str) -> list[str]:
    """Return the words of a text: sequences of letters and digits."""
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text))


def has_words(text: str, asked: Collection[str]) -> bool:
    """Return whether each of some words begins a word of a text, whatever its case and accents."""
    words = [_plain(each) for each in words_of(text)]
    return all(any(word.startswith(_plain(each)) for word in words) for each in asked)


def _plain(word: str) -> str:
    apart = unicodedata.normalize("NFKD", word.lower())
    return "".join(each for each in apart if not unicodedata.combining(each))


def lowered(text: str) -> str:
    """Return a text with the letters of ASCII made small, as the tables compare it."""
    return "".join(each.lower() if each.isascii() else each for each in text)
