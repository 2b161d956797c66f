"""Defines the fields of one ``telegram`` account. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from workers.plugin import LOCAL
from workers.web.addresses import wrong_root

DEFAULT_ROOT = "https://api.telegram.org"
_TOKEN = re.compile(r"(\d{1,20}):[A-Za-z0-9_-]{1,200}\Z")


class TelegramConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One bot. ``api_root`` is a Bot API server; the token is sent to it."""

    bot_token: Annotated[
        str,
        Meta(min_length=1, max_length=256),
        Meta(description="The bot's token, from @BotFather."),
    ]
    api_root: Annotated[
        str,
        LOCAL,
        Meta(
            description="The server of the Bot API, to which the token is sent; for a local Bot "
            "API server."
        ),
    ] = DEFAULT_ROOT
    poll_seconds: Annotated[
        int,
        Meta(ge=1, le=600),
        Meta(description="Seconds after which a request for updates ends if there are none."),
    ] = 50

    def __post_init__(self) -> None:
        """Check what types cannot express. Raises ``ValueError`` that names the field."""
        if wrong := wrong_root(self.api_root):
            raise ValueError(f"apiRoot {wrong}, like {DEFAULT_ROOT}")


def bot_id(token: Any) -> str | None:
    """Return the id of the bot, the public part of its token; ``None`` for a malformed token."""
    found = _TOKEN.match(token) if isinstance(token, str) else None
    return found[1] if found else None
