"""Hold the session of one bot: what it needs to be begun, and to be resumed. Pure.

Discord repeats to a resumed session what it has missed, for some minutes. So a session outlives its
connection, and the process: id, address and number are part of the stored cursor.
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
    """The position that is stored.

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
    """Return the stored position, as far as it is one of this server."""
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
        """Where it is resumed; empty: there is none, or it would send the token unencrypted."""
        encrypted = self._url.startswith("wss://")
        plain = self._url.startswith("ws://") and self.root.startswith("http://")
        return self._url if self.id and (encrypted or plain) else ""

    def greeting(self, token: str) -> Json:
        """Return the frame that resumes the session or, where there is none, begins one."""
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
        """Take over a new session."""
        self.id, self._url = ready.session_id, ready.resume_gateway_url

    def forget(self) -> None:
        """Drop it: the next greeting begins a new one."""
        self.id, self._url, self.seq = "", "", 0

    def cursor(self, last: int, direct: Iterable[str]) -> DiscordCursor:
        """Return the position to store."""
        return DiscordCursor(self.root, self.id, self._url, self.seq, last, list(direct))
