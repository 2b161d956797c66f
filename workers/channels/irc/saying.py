"""Between Trunkline's messages and IRC's: what is said becomes lines, what is heard a message."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from workers.channels.irc.config import IrcConfig
from workers.channels.irc.conversation import Conversation
from workers.channels.irc.lines import LineError, line
from workers.channels.irc.names import valid_channel
from workers.channels.irc.outputs import Heard
from workers.channels.irc.texts import pieces, room_bytes
from workers.errors import SendFailed
from workers.messages import Chat, Inbound, Outbound, Sender

# Any nick a server may have given somebody, but no list, mask, server or robot address.
_NICK_LIKE = re.compile(r"[^\s,*?!@:$#&\x00-\x1f][^\s,*?!@:\x00-\x1f]*")


@dataclass(slots=True, eq=False)
class Saying:
    """A message on its way. ``outcome`` is set when the server had time to refuse it."""

    target: str
    parts: int
    outcome: asyncio.Future[None]
    written: int = field(default=0)

    @property
    def begun(self) -> bool:
        """Whether a part of it has been written."""
        return self.written > 0

    def wrote(self) -> bool:
        """Count a part as written; true when it was the last."""
        self.written += 1
        return self.written == self.parts

    def settle(self) -> None:
        """Nobody refused it."""
        if not self.outcome.done():
            self.outcome.set_result(None)

    def lose(self) -> None:
        """The connection is gone: sent whole, in part, or not at all."""
        if self.outcome.done():
            return
        if self.written == self.parts:
            self.outcome.set_result(None)
            return
        text = f"connection lost after {self.written} of {self.parts} parts"
        self.outcome.set_exception(SendFailed(text, retryable=not self.begun))


def compose(message: Outbound, config: IrcConfig, conversation: Conversation) -> list[str]:
    """Return the lines that say ``message``. Raises ``SendFailed``.

    IRC carries no files: their addresses follow the text, one per line.
    """
    obstacle = conversation.rooms.obstacle(message.to)
    if obstacle is not None:
        raise SendFailed(f"not in {message.to}: {obstacle}", retryable=True)
    if not valid_channel(message.to) and not _NICK_LIKE.fullmatch(message.to):
        raise SendFailed(f"not a nick or channel: {message.to!r}")
    command = "NOTICE" if config.notice else "PRIVMSG"
    text = "\n".join((message.text, *_addresses(message)))
    try:
        room = room_bytes(conversation.mask_bytes, command, message.to, action=message.action)
        parts = pieces(text, room)
        if message.action:
            parts = [f"\1ACTION {part}\1" for part in parts]
        lines = [line(command, message.to, part) for part in parts]
    except (LineError, ValueError) as error:
        raise SendFailed(str(error)) from error
    if not lines:
        raise SendFailed("nothing to say")
    if len(lines) > config.max_lines:
        raise SendFailed(f"{len(lines)} lines are more than maxLines allows ({config.max_lines})")
    return lines


def inbound(heard: Heard, new_id: Callable[[], str], now_ms: int) -> Inbound:
    """Return what was heard as a message; the server's id and time win over ours."""
    meta: dict[str, Any] = {"mask": heard.mask}
    if heard.notice:
        meta["notice"] = True
    if heard.login:
        meta["account"] = heard.login
    room = heard.room
    return Inbound(
        id=heard.id or new_id(),
        chat=Chat(heard.nick, "direct") if room is None else Chat(room, "group"),
        sender=Sender(heard.nick, heard.nick, bot=heard.robot),
        text=heard.text,
        ts=now_ms if heard.at is None else heard.at,
        addressed=heard.addressed,
        action=heard.action,
        meta=meta,
    )


def _addresses(message: Outbound) -> list[str]:
    for attachment in message.attachments:
        if not attachment.url.startswith(("http://", "https://")):
            raise SendFailed("IRC carries no files, only their http(s) addresses")
    return [attachment.url for attachment in message.attachments]
