"""Defines the length limits, markup and sending rates that a channel's manifest declares. Pure."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

Unit = Literal["chars", "utf16", "bytes"]
DialectName = Literal[
    "plain", "telegram-html", "mrkdwn", "discord", "whatsapp", "matrix", "irc", "html"
]

MIN_LIMIT = 64  # below it the marks that every part repeats leave no room for the text


class Text(msgspec.Struct, frozen=True):
    """The longest text that the platform accepts in one message, and the markup it understands.

    ``limit`` counts in ``unit``: Unicode characters, UTF-16 code units, or bytes of UTF-8, after
    rendering; 0 is no limit. ``caption`` is the limit of a text that goes with a file; 0: the
    same. Raises ``ValueError`` for a limit below 64 and an unknown unit or dialect.
    """

    limit: int = 0
    unit: Unit = "chars"
    caption: int = 0
    dialect: DialectName = "plain"

    def __post_init__(self) -> None:
        for name in ("limit", "caption"):
            value = getattr(self, name)
            if value and value < MIN_LIMIT:
                raise ValueError(f"{name}: {value} is less than {MIN_LIMIT}; 0 is no limit")
        if self.unit not in get_args(Unit):
            raise ValueError(f"unit: {self.unit!r} is none of {', '.join(get_args(Unit))}")
        if self.dialect not in get_args(DialectName):
            known = ", ".join(get_args(DialectName))
            raise ValueError(f"dialect: {self.dialect!r} is none of {known}")


class Rate(msgspec.Struct, frozen=True):
    """A rate limit: ``count`` messages at once, then one every ``seconds / count`` seconds."""

    count: int
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 < self.seconds < float("inf"):
            raise ValueError(f"a rate has a count of 1 or more and seconds above 0, not {self}")


class Pace(msgspec.Struct, frozen=True):
    """How fast the account may send: in total, to each chat, and to each group chat.

    ``None``: no such limit. Both ``chat`` and ``group`` apply to a group chat.
    """

    account: Rate | None = None
    chat: Rate | None = None
    group: Rate | None = None
