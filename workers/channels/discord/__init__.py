"""Defines the channel ``discord``; its client is imported only in a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.channels.discord.config import DEFAULT_ROOT, DiscordConfig, bot_id
from workers.plugin import Manifest, Media, Pace, Rate, Text
from workers.web.addresses import bot_name


class DiscordManifest(Manifest):
    """The manifest of ``discord``, which describes an account by its bot's number."""

    __slots__ = ()

    def describe(self, config: Mapping[str, Any]) -> str:
        """Return ``bot 123456``, with the API server unless that is Discord's own."""
        return bot_name(bot_id(config.get("token")), config.get("apiRoot"), DEFAULT_ROOT)

    def wrong_secret(self, name: str, value: str) -> str | None:
        """Return what is wrong with the format of a token; ``None`` if nothing is."""
        if bot_id(value) is not None:
            return None
        return (
            "is not a bot token: one has three parts with dots between (MTk4NjIy….CzZ…),"
            " and stands under Bot in the Developer Portal; the client secret is another"
        )


manifest = DiscordManifest(
    id="discord",
    label="Discord",
    config=DiscordConfig,
    plugin="workers.channels.discord.plugin:Discord",
    detail_label="Discord Bot",
    system_image="bubble.left.and.bubble.right",
    secrets=frozenset({"token"}),
    can=frozenset(
        {"edit", "delete", "react", "typing", "chat", "history", "buttons", "poll", "threads"}
    ),
    media=Media(
        send=frozenset({"image", "video", "audio", "file"}),
        receive=True,
        max_up=10_000_000,
        max_down=25_000_000,  # bytes; people with a subscription may send twenty times that
    ),
    example={"token": {"source": "env", "id": "DISCORD_BOT_TOKEN"}},
    status={"connected": False, "mode": "gateway"},
    typing=10.0,
    cursor=True,
    # In UTF-16 units a text is never shorter than in any other count that Discord may mean.
    text=Text(limit=2000, unit="utf16", dialect="discord"),
    # 50 requests a second in all, and in a channel about five messages in five seconds.
    pace=Pace(account=Rate(50), chat=Rate(5, 5)),
    # A nonce is known again "for a few minutes": half of the least that this can mean.
    idempotent=60.0,
    groups="guilds",
)
