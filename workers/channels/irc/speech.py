"""What somebody said: a PRIVMSG or NOTICE made into ``Heard``.

Pure. CTCP is left alone: ACTION (``/me``) is speech, every other request is neither answered nor
passed on, because answering is what floods and fingerprints robots.
"""

from __future__ import annotations

from datetime import datetime

from workers.channels.irc.features import Features
from workers.channels.irc.lines import Line
from workers.channels.irc.names import names
from workers.channels.irc.outputs import Heard
from workers.channels.irc.texts import action_of, plain

_BOT_TAGS = frozenset({"bot", "draft/bot", "inspircd.org/bot"})


def heard(got: Line, me: str, features: Features) -> Heard | None:
    """Return what was said; ``None`` for what is not for people.

    That is CTCP, what a server says (no ``!`` in the source of a NOTICE), and what a bouncer
    repeats of our own words. A NOTICE never addresses anybody: RFC 2812 3.3.2 forbids
    robots to answer one, and that is what keeps two robots from talking forever.
    """
    notice = got.command == "NOTICE"
    fold = features.fold
    if fold(got.nick) == fold(me) or (notice and "!" not in got.source):
        return None
    text: str | None = got.text
    action = got.text.startswith("\1")
    if action:
        text = action_of(got.text) if not notice else None
    if text is None:
        return None
    text = plain(text)
    room = features.room_of(got.param(0))
    return Heard(
        nick=got.nick,
        mask=got.source,
        room=room,
        text=text,
        addressed=not notice and (room is None or names(text, me, features.casemapping)),
        action=action,
        notice=notice,
        robot=notice or not _BOT_TAGS.isdisjoint(got.tags),
        id=got.tags.get("msgid") or None,
        at=_epoch_ms(got.tags.get("time", "")),
        login=got.tags.get("account") or None,
    )


def _epoch_ms(text: str) -> int | None:
    """Read the tag ``time`` (IRCv3 server-time); ``None`` when absent or not a time."""
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
