"""Reads what a server announces about itself (numeric 005, ISUPPORT). Pure.

The defaults hold on a server that announces nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from workers.channels.irc.names import CHANNEL_TYPES, fold

_ESCAPE = re.compile(r"\\x([0-9A-Fa-f]{2})")  # how a value holds a space (ISUPPORT draft, 2)


class Features(msgspec.Struct, frozen=True):
    """The announced features that the client uses."""

    casemapping: str = "rfc1459"
    channel_types: str = CHANNEL_TYPES
    status_prefixes: str = ""  # STATUSMSG: "@#room" speaks to the operators of #room
    bot_mode: str | None = None  # the user mode that marks a robot
    network: str | None = None

    def updated(self, tokens: Iterable[str]) -> Features:
        """Return a copy with the ``NAME=value`` tokens of one 005 line; ``-NAME`` takes one back.

        A server sends as many lines as it likes, at any time.
        """
        known = {
            "CASEMAPPING": "casemapping",
            "CHANTYPES": "channel_types",
            "STATUSMSG": "status_prefixes",
            "BOT": "bot_mode",
            "NETWORK": "network",
        }
        found: dict[str, Any] = {}
        for token in tokens:
            name, _, value = token.partition("=")
            if name.startswith("-") and name[1:] in known:
                found[known[name[1:]]] = getattr(_DEFAULTS, known[name[1:]])
            elif name in known and value:
                found[known[name]] = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), value)
        if len(found.get("bot_mode") or "B") != 1 or not (found.get("bot_mode") or "B").isalpha():
            del found["bot_mode"]  # a mode is one letter
        return replace(self, **found)

    def fold(self, name: str) -> str:
        """Return the form in which this server compares ``name``."""
        return fold(name, self.casemapping)

    def room_of(self, target: str) -> str | None:
        """Return the channel that ``target`` names, ``None`` when it is a nick."""
        if target[:1] in self.status_prefixes and target[1:2] in self.channel_types:
            return target[1:] or None
        return target if target and target[0] in self.channel_types else None


_DEFAULTS = Features()
