"""What the client's pure parts want done: the vocabulary between them and the socket.

The parts return lists of these; ``workers.channels.irc.plugin`` performs them. What ends the
connection is not an output but a ``ChannelError`` that is raised.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Send:
    """Write this line. An ``urgent`` one does not wait for its turn."""

    line: str
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """Somebody said something. ``room`` is ``None`` when it was said to us alone.

    ``id`` and ``at`` (epoch milliseconds) are the server's, ``None`` when it gives none.
    ``robot`` is true for a NOTICE and for a sender that the server marks as a bot.
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


@dataclass(frozen=True, slots=True)
class Refused:
    """The server did not deliver what was said to ``target`` (already folded)."""

    target: str
    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The server answered a PING that is not about the lag."""

    token: str


@dataclass(frozen=True, slots=True)
class Registered:
    """The server has let us in."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Registered, and the first joins are answered: the account works."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The nick, a channel or the lag is not what it was: tell it."""


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a person may want to read in the log."""

    text: str


Output = Send | Heard | Refused | Answered | Registered | Ready | Changed | Warned
