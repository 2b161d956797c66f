"""Validates and compares nicks and channel names, and finds a nick in a text. Pure.

Servers compare names by the ``CASEMAPPING`` that they announce (RFC 2812 2.2: in rfc1459
``{}|~`` are the lower case of ``[]\\^``, from the Scandinavian alphabets), so names are
compared only after ``fold``.
"""

from __future__ import annotations

import re

CHANNEL_TYPES = "#&+!"
_SPECIAL = re.escape("[]\\`_^{|}")
# Wider than RFC 2812 where real servers are: any Unicode letter may be in a nick.
_NICK = re.compile(rf"(?:[^\W\d]|[{_SPECIAL}])[\w{_SPECIAL}-]*")
_NICK_CHARACTER = rf"[\w{_SPECIAL}-]"
_CHANNEL = re.compile(rf"[{re.escape(CHANNEL_TYPES)}][^\s,\x00-\x1f:]+")
_CASES = {
    "ascii": str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"),
    "strict-rfc1459": str.maketrans(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ[]\\", "abcdefghijklmnopqrstuvwxyz{}|"
    ),
    "rfc1459": str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ[]\\^", "abcdefghijklmnopqrstuvwxyz{}|~"),
}


def fold(name: str, casemapping: str = "rfc1459") -> str:
    """Return the form in which ``name`` is compared. An unknown mapping counts as ASCII."""
    return name.translate(_CASES.get(casemapping, _CASES["ascii"]))


def valid_nick(nick: str) -> bool:
    """Return whether any server could accept ``nick``."""
    return _NICK.fullmatch(nick) is not None and len(nick) <= 64


def valid_channel(name: str) -> bool:
    """Return whether any server could accept ``name`` as the name of a channel."""
    return _CHANNEL.fullmatch(name) is not None and len(name.encode()) <= 200


def mentions(text: str, nick: str, casemapping: str = "rfc1459") -> bool:
    """Return whether ``text`` holds ``nick`` as a word: in ``nick: hi``, not in ``nickname``."""
    word = re.escape(fold(nick, casemapping))
    pattern = rf"(?<!{_NICK_CHARACTER}){word}(?!{_NICK_CHARACTER})"
    return re.search(pattern, fold(text, casemapping)) is not None


def spare_nicks(nick: str) -> list[str]:
    """Return the nicks to try while ``nick`` is taken, the best first.

    The longer ones come first; a server that cuts nicks at 9 characters (RFC 1459) answers
    "in use" to them and is then sent the shorter ones.
    """
    short = nick[:7]
    tries = [f"{nick}_", f"{nick}__", *(f"{nick[:8]}_",), *(f"{short}_{n}" for n in range(10))]
    return [spare for spare in dict.fromkeys(tries) if spare != nick]
