"""Defines what the pure parts of the client ask the plugin to do. Pure.

The parts return lists of outputs; ``workers.channels.irc.plugin`` performs each of them. What
ends the connection is not an output but a ``ChannelError`` that is raised.
"""

from __future__ import annotations

import msgspec

from ipc.hidden_fields import hide_fields


@hide_fields("line")
class SendLine(msgspec.Struct, frozen=True):
    """Write ``line``; an ``urgent`` one does not wait for its turn."""

    line: str
    urgent: bool = False


class Heard(msgspec.Struct, frozen=True):
    """Emit a message of a person or bot. ``room`` is ``None`` for a direct message.

    ``id`` and ``at`` (epoch milliseconds) are the server's, ``None`` when it gives none.
    ``robot`` is true for a NOTICE and for a sender that the server marks as a bot, ``history``
    for what was said before this connection. ``me`` is the client's nick where a room's message
    names it.
    """

    nick: str
    mask: str
    room: str | None
    text: str
    addressed: bool
    action: bool = False
    notice: bool = False
    robot: bool = False
    id: str | None = None
    at: int | None = None
    login: str | None = None
    history: bool = False
    me: str | None = None


class Typing(msgspec.Struct, frozen=True):
    """Emit that a person types, or has stopped. ``room`` is ``None`` for a direct message."""

    nick: str
    room: str | None
    stopped: bool
    login: str | None = None


class Undelivered(msgspec.Struct, frozen=True):
    """Fail a message to one of ``targets`` (already folded): the server did not deliver it.

    Without targets it is the oldest one that is open.
    """

    targets: tuple[str, ...]
    text: str


class PongReceived(msgspec.Struct, frozen=True):
    """Settle the messages sent before the PING ``token``, which the server has answered."""

    token: str


class Registered(msgspec.Struct, frozen=True):
    """Report the connection: the server has accepted the registration."""


class AccountReady(msgspec.Struct, frozen=True):
    """Report the account ready: registered, and the first joins are answered."""


class StatusChanged(msgspec.Struct, frozen=True):
    """Report the state anew: the nick, a channel or the lag has changed."""


class Warned(msgspec.Struct, frozen=True):
    """Log ``text`` as a warning."""

    text: str


Output = (
    SendLine
    | Heard
    | Typing
    | Undelivered
    | PongReceived
    | Registered
    | AccountReady
    | StatusChanged
    | Warned
)
