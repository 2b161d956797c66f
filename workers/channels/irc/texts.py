"""Splits text into lengths that IRC lines can carry, and removes IRC's formatting. Pure.

The server puts our own prefix before the text when it passes it on and cuts the result at 512
bytes, so the room for text depends on our nick, user and host (``room_bytes``).
"""

from __future__ import annotations

import re

from workers.channels.irc.lines import MAX_LINE_BYTES

MAX_USER_BYTES = 12  # USERLEN of the usual servers is 10, and they put a "~" before it
MAX_HOST_BYTES = 64  # HOSTLEN of the usual servers is 63
_ACTION_BYTES = len("\1ACTION \1")
_LEAST_BYTES = 16  # below that a text would be a column of letters
# Bold, italic, underline, strikethrough, monospace, reverse, reset; \3 and \4 are colours.
_MARKUP = re.compile(
    r"[\x02\x0f\x11\x16\x1d\x1e\x1f]|\x03(?:\d{1,2}(?:,\d{1,2})?)?"
    r"|\x04(?:[0-9A-Fa-f]{6}(?:,[0-9A-Fa-f]{6})?)?"
)
_UNSPEAKABLE = re.compile(r"[\x00\x01\r]")  # NUL cannot be sent; \1 would make it a CTCP


def strip_markup(text: str) -> str:
    """Return ``text`` without colours and other markup."""
    return _MARKUP.sub("", text)


def action_of(text: str) -> str | None:
    """Return the text of a CTCP ACTION (``/me``); ``None`` when ``text`` is another CTCP."""
    inner = text.strip("\1")
    if inner == "ACTION" or inner.startswith("ACTION "):
        return inner[len("ACTION ") :]
    return None


def room_bytes(prefix_bytes: int, command: str, target: str, *, action: bool) -> int:
    """Return how many bytes of text fit into one line to ``target``.

    ``prefix_bytes`` is the length of our ``nick!user@host`` as others see it. Raises
    ``ValueError`` when the target's name leaves no room worth using.
    """
    # ":" prefix " " command " " target " :" text CR LF
    around = 1 + prefix_bytes + 1 + len(command) + 1 + len(target.encode()) + 2 + 2
    room = MAX_LINE_BYTES - around - (_ACTION_BYTES if action else 0)
    if room < _LEAST_BYTES:
        raise ValueError("the name of the target leaves no room for text")
    return room


def split_text(text: str, limit_bytes: int) -> list[str]:
    """Split ``text`` into lines of at most ``limit_bytes`` (at least 4) of UTF-8.

    A line break ends a piece, a blank line is left out (IRC has no empty message). Cuts at
    the last space that keeps more than half of the room, and never within a character; the
    space at a cut is dropped, everything else is kept.
    """
    lines = _UNSPEAKABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).split("\n")
    return [piece for one in lines if one.strip() for piece in _cut(one, limit_bytes)]


def _cut(line: str, limit_bytes: int) -> list[str]:
    found = []
    rest = line.encode(errors="replace")  # lone surrogates cannot be sent
    while len(rest) > limit_bytes:
        end = limit_bytes
        while rest[end] & 0xC0 == 0x80:  # a byte that continues a character
            end -= 1
        space = rest.rfind(b" ", limit_bytes // 2, end + 1)
        if space > 0:
            found.append(rest[:space])
            rest = rest[space + 1 :]
        else:
            found.append(rest[:end])
            rest = rest[end:]
    return [text for piece in (*found, rest) if (text := piece.decode()).strip()]
