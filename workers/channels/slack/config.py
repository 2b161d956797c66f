"""Defines the fields of one ``slack`` account. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from workers.groups import RoomConfig
from workers.plugin import LOCAL
from workers.web.addresses import wrong_root

DEFAULT_ROOT = "https://slack.com"
BOT_TOKEN = ("xoxb-", "xoxe.xoxb-")  # how a bot token begins; the second is one that expires
APP_TOKEN = ("xapp-",)


class SlackConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One app in one workspace. ``api_root`` is the API's server; both tokens are sent to it."""

    bot_token: Annotated[
        str,
        Meta(min_length=1, max_length=512),
        Meta(description="The bot's token (`xoxb-…`), from OAuth & Permissions of the app."),
    ]
    app_token: Annotated[
        str,
        Meta(min_length=1, max_length=512),
        Meta(
            description="The app-level token (`xapp-…`) with the scope connections:write, from "
            "Basic Information of the app."
        ),
    ]
    api_root: Annotated[
        str,
        LOCAL,
        Meta(
            description="The server of Slack's API, to which both tokens are sent; for tests "
            "and proxies."
        ),
    ] = DEFAULT_ROOT
    channels: Annotated[
        dict[str, RoomConfig],
        Meta(
            description="Who may talk to the app in which channel, by the channel's id or `*` "
            "for all others."
        ),
    ] = {}

    def __post_init__(self) -> None:
        """Check what types cannot express. Raises ``ValueError`` that names the field."""
        if wrong := wrong_root(self.api_root):
            raise ValueError(f"apiRoot {wrong}, like {DEFAULT_ROOT}")


def wrong_tokens(config: SlackConfig) -> str | None:
    """Return what is wrong with the tokens, which are easily confused; ``None``: nothing."""
    if config.bot_token.startswith(APP_TOKEN) and config.app_token.startswith(BOT_TOKEN):
        return "botToken and appToken are swapped: xoxb-… is the bot's, xapp-… the app's"
    for name, token in (("botToken", config.bot_token), ("appToken", config.app_token)):
        if wrong := wrong_token(name, token):
            return f"{name} {wrong}"
    return None


def wrong_token(name: str, token: str) -> str | None:
    """Return what is wrong with the format of the token in field ``name``; ``None``: nothing."""
    if name == "botToken" and not token.startswith(BOT_TOKEN):
        return "is not a bot token: find xoxb-… under OAuth & Permissions of the app"
    if name == "appToken" and not token.startswith(APP_TOKEN):
        return (
            "is not an app-level token: make one like xapp-… with the scope connections:write"
            " under Basic Information of the app"
        )
    return None
