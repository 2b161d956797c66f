"""Holds the session of one bot: what is needed to begin and to resume it. Pure.

For some minutes Discord repeats to a resumed session what it has missed. So a session outlives its
connection and the process: its id, address and sequence number are part of the stored cursor.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from workers.channels.discord.objects import DiscordReady, Json

# GUILDS, GUILD_MESSAGES, GUILD_MESSAGE_REACTIONS, DIRECT_MESSAGES, DIRECT_MESSAGE_REACTIONS,
# DIRECT_MESSAGE_TYPING, MESSAGE_CONTENT, GUILD_MESSAGE_POLLS, DIRECT_MESSAGE_POLLS. Who types in
# a server is left out: it is most of all events there, and each would be stored.
INTENTS = sum(1 << bit for bit in (0, 9, 10, 12, 13, 14, 15, 24, 25))
MOST_DIRECT = 100  # direct messages that are read again; servers name their channels themselves


class DiscordCursor(msgspec.Struct, frozen=True):
    """The stored position of a bot.

    ``root`` is the server that the session belongs to, ``seq`` the number of its last event that
    was handed on, ``last`` that of the newest message, ``direct`` the direct messages met last.
    """

    root: str
    session: str = ""
    url: str = ""
    seq: int = 0
    last: int = 0
    direct: list[str] = []


def cursor_of(stored: Any, root: str) -> DiscordCursor:
    """Return the stored position; a fresh one if it is missing or of another server."""
    try:
        cursor = msgspec.convert(stored, DiscordCursor)
    except msgspec.ValidationError:
        return DiscordCursor(root)
    return cursor if cursor.root == root else DiscordCursor(root)


class BotSession:
    """The session: none while ``id`` is empty."""

    def __init__(self, cursor: DiscordCursor) -> None:
        self.root = cursor.root
        self.id = cursor.session
        self.seq = cursor.seq
        self._url = cursor.url

    @property
    def url(self) -> str:
        """The address to resume at; empty if there is none, or the token would go unencrypted."""
        encrypted = self._url.startswith("wss://")
        plain = self._url.startswith("ws://") and self.root.startswith("http://")
        return self._url if self.id and (encrypted or plain) else ""

    def greeting(self, token: str) -> Json:
        """Return the frame that resumes the session or begins a new one (Resume or Identify)."""
        if self.id:
            return {"op": 6, "d": {"token": token, "session_id": self.id, "seq": self.seq}}
        properties = {"os": "linux", "browser": "trunkline", "device": "trunkline"}
        return {
            "op": 2,
            "d": {
                "token": token,
                "intents": INTENTS,
                "properties": properties,
                "compress": False,
                "large_threshold": 50,
            },
        }

    def begin(self, ready: DiscordReady) -> None:
        """Adopt the new session of a READY event."""
        self.id, self._url = ready.session_id, ready.resume_gateway_url

    def forget(self) -> None:
        """Drop the session: the next greeting begins a new one."""
        self.id, self._url, self.seq = "", "", 0

    def cursor(self, last: int, direct: Iterable[str]) -> DiscordCursor:
        """Return the position to store."""
        return DiscordCursor(self.root, self.id, self._url, self.seq, last, list(direct))
