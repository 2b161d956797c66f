"""Defines the origin of a message, by which its conversation is found. Pure."""

from __future__ import annotations

import string
from typing import Any

import msgspec

from runtime.config.access_policy import UNVERIFIED, AccessPolicy
from runtime.config.sessions import PeerKind
from workers.messages import Inbound

_SMALL = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """The chat in which a message was written, and its author.

    ``chat`` is the id of the chat and ``peer`` that of the author, for which the platform vouches
    where it is ``verified``. ``thread`` is one of the chat's threads or topics. ``guild`` and
    ``roles`` are the server and what the author is there, ``team`` is the workspace.
    ``ignore_case``: ids that differ in the case of ASCII letters alone are one.
    """

    channel: str
    account: str
    kind: PeerKind
    chat: str
    peer: str
    verified: bool = True
    thread: str | None = None
    guild: str | None = None
    team: str | None = None
    roles: frozenset[str] = frozenset()
    ignore_case: bool = False

    def same_for(self, id: str) -> str:
        """Return a normalized id, equal for all spellings of it.

        Letters beyond ASCII stay: platforms that ignore their case are not known, and full case
        folding makes one of two people (``straße`` and ``strasse``).
        """
        return id.translate(_SMALL) if self.ignore_case else id

    def is_person(self, entry: str) -> bool:
        """Return whether a list's entry ``channel:id`` names the author.

        Who is not verified is meant by entries alone that begin with ``unverified:``.
        """
        channel, _, person = entry.removeprefix(UNVERIFIED).partition(":")
        if channel != self.channel or not person:
            return False
        if not self.verified and not entry.startswith(UNVERIFIED):
            return False
        return self.same_for(person) == self.same_for(self.peer)


def chat_in(channel: str, named: str) -> str:
    """Return the id of a chat named by a client; OpenClaw's clients put the channel before it."""
    if not named.startswith(channel):  # as nearly always, and cheaper to see
        return named
    return named.removeprefix(f"{channel}:") or named


def origin_of(key: str, message: Inbound, policy: AccessPolicy) -> Origin:
    """Return where a message of the account ``key`` comes from."""
    channel, _, account = key.partition(":")
    guild = _id(message.meta.get("guild"))
    roles = message.meta.get("roles")
    return Origin(
        channel=channel,
        account=account,
        kind=_kind(message, policy, guild),
        chat=message.chat.id,
        peer=message.sender.id,
        verified=message.sender.verified,
        thread=message.thread or None,
        guild=guild,
        team=_id(message.meta.get("team")),
        roles=frozenset(map(str, roles)) if isinstance(roles, list) else frozenset(),
        ignore_case=policy.ignore_case,
    )


def _kind(message: Inbound, policy: AccessPolicy, guild: str | None) -> PeerKind:
    """Return OpenClaw's kind of a chat: ``channel`` for rooms of a server or workspace."""
    if message.chat.kind == "direct":
        return "direct"
    rooms = policy.groups_field == "channels" or (policy.by_server and guild is not None)
    return "channel" if rooms else "group"


def _id(value: Any) -> str | None:
    """Return an id that a plugin or a remote user provided, as text."""
    return str(value) if isinstance(value, str | int) and str(value) else None
