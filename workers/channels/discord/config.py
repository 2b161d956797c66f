"""Defines the fields of one ``discord`` account. Pure."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from workers.groups import GuildConfig
from workers.plugin import LOCAL
from workers.web.addresses import wrong_root

DEFAULT_ROOT = "https://discord.com"


class DiscordConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One bot. ``api_root`` is a server that speaks Discord's API; the token is sent to it."""

    token: Annotated[
        str,
        Meta(min_length=1, max_length=256),
        Meta(
            description="The bot's token, from the page Bot of the application in Discord's "
            "developer portal."
        ),
    ]
    api_root: Annotated[
        str,
        LOCAL,
        Meta(
            description="The server of Discord's API, to which the token is sent; for tests and "
            "proxies."
        ),
    ] = DEFAULT_ROOT
    guilds: Annotated[
        dict[str, GuildConfig],
        Meta(
            description="Who may talk to the bot in which server, by the server's id or `*` for "
            "all others."
        ),
    ] = {}

    def __post_init__(self) -> None:
        """Check what types cannot express. Raises ``ValueError`` that names the field."""
        if wrong := wrong_root(self.api_root):
            raise ValueError(f"apiRoot {wrong}, like {DEFAULT_ROOT}")
        for server, rules in self.guilds.items():
            if wrong := _wrong_number(server):
                raise ValueError(f"guilds: {wrong} of a server")
            for channel in rules.channels:
                if wrong := _wrong_number(channel):
                    raise ValueError(f"guilds.{server}.channels: {wrong} of a channel")


def _wrong_number(name: str) -> str | None:
    """Return what is wrong with the id of a server or channel; a name is, as it may change."""
    if name == "*" or (name.isascii() and name.isdigit()):
        return None
    return f'{name!r} is not a number; allowed: "*", or the id (Developer Mode, Copy ID)'


def bot_id(token: Any) -> str | None:
    """Return the id of the bot, the public part of its token; ``None`` for a malformed token."""
    if not isinstance(token, str) or token.count(".") != 2:
        return None
    first = token.partition(".")[0]
    try:
        number = base64.b64decode(first + "=" * (-len(first) % 4), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    return number if number.isdecimal() and len(number) <= 20 else None
