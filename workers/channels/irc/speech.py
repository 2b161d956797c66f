"""Turns a PRIVMSG or NOTICE into ``Heard``. Pure.

Of CTCP, only ACTION (``/me``) is a message; other requests are neither answered nor passed on,
because answers would let others flood and fingerprint a bot.
"""

from __future__ import annotations

from workers.channels.irc.features import Features
from workers.channels.irc.lines import MAX_WORD, Line
from workers.channels.irc.names import mentions
from workers.channels.irc.outputs import Heard, Typing
from workers.channels.irc.playback import server_time
from workers.channels.irc.texts import action_of, strip_markup

_BOT_TAGS = frozenset({"bot", "draft/bot", "inspircd.org/bot"})


def read_typing(got: Line, me: str, features: Features) -> Typing | None:
    """Return the typing state in a TAGMSG (IRCv3 client tag ``+typing``), if it has one."""
    state = got.tags.get("+typing")
    if state not in ("active", "paused", "done") or features.fold(got.nick) == features.fold(me):
        return None
    if not 0 < len(got.nick) <= MAX_WORD or not 0 < len(got.param(0)) <= MAX_WORD:
        return None
    room, login = features.room_of(got.param(0)), got.tags.get("account") or None
    return Typing(got.nick, room, state != "active", login)


def read_speech(got: Line, me: str, features: Features, *, history: bool = False) -> Heard | None:
    """Return the message in a line; ``None`` if it is not a message for people.

    Not for people are CTCP, notices of a server (no ``!`` in the source), and our own messages
    repeated by a bouncer. ``me`` is the client's present nick. A NOTICE never counts as
    addressed: RFC 2812 3.3.2 forbids robots to answer one, which keeps two robots from
    answering each other for ever. ``history`` is what was said before this connection, which
    never counts as addressed either: it was answered then, or is not to be answered any more.
    """
    notice = got.command == "NOTICE"
    fold = features.fold
    if fold(got.nick) == fold(me) or (notice and "!" not in got.source):
        return None
    if not 0 < len(got.nick) <= MAX_WORD or len(got.param(0)) > MAX_WORD:
        return None
    text: str | None = got.text
    action = got.text.startswith("\1")
    if action:
        text = action_of(got.text) if not notice else None
    if text is None:
        return None
    text = strip_markup(text)
    room = features.room_of(got.param(0))
    named = room is not None and mentions(text, me, features.casemapping)
    return Heard(
        nick=got.nick,
        mask=got.source,
        room=room,
        text=text,
        addressed=not (notice or history) and (room is None or named),
        action=action,
        notice=notice,
        robot=notice or not _BOT_TAGS.isdisjoint(got.tags),
        id=got.tags.get("msgid") or None,
        at=server_time(got),
        login=got.tags.get("account") or None,
        history=history,
        me=me if named else None,
    )
