"""Defines the channel ``telegram``; its client is imported only in a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.channels.telegram.config import DEFAULT_ROOT, TelegramConfig, bot_id
from workers.plugin import Manifest, Media, Pace, Rate, Text
from workers.web.addresses import bot_name


class TelegramManifest(Manifest):
    """The manifest of ``telegram``, which describes an account by its bot's number."""

    __slots__ = ()

    def describe(self, config: Mapping[str, Any]) -> str:
        """Return ``bot 123456``, with the API server unless that is Telegram's own."""
        return bot_name(bot_id(config.get("botToken")), config.get("apiRoot"), DEFAULT_ROOT)

    def wrong_secret(self, name: str, value: str) -> str | None:
        """Return what is wrong with the format of a token; ``None`` if nothing is."""
        if bot_id(value) is not None:
            return None
        return "is not a bot token: @BotFather gives one like 110201543:AAHd…"


manifest = TelegramManifest(
    id="telegram",
    label="Telegram",
    config=TelegramConfig,
    plugin="workers.channels.telegram.plugin:Telegram",
    detail_label="Telegram Bot",
    system_image="paperplane",
    secrets=frozenset({"botToken"}),
    can=frozenset({"edit", "delete", "react", "typing", "chat", "buttons", "poll", "threads"}),
    media=Media(
        send=frozenset({"image", "video", "audio", "file"}),
        receive=True,
        max_up=50_000_000,
        max_down=20_000_000,  # bytes: the Bot API delivers no more
    ),
    example={"botToken": {"source": "env", "id": "TELEGRAM_BOT_TOKEN"}},
    status={"connected": False, "mode": "polling"},
    cursor=True,
    typing=5.0,
    text=Text(limit=4096, unit="utf16", caption=1024, dialect="telegram-html"),
    # Of the platform's FAQ: 30 a second in all, 20 a minute in a group, and in a chat about one a
    # second, more only for a moment.
    pace=Pace(account=Rate(30), chat=Rate(3, 3), group=Rate(20, 60)),
)
