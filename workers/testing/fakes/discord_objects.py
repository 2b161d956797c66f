"""Builds the objects of a fake Discord, complete enough for third-party clients."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

EPOCH_MS = 1_420_070_400_000
TEXT_CHANNEL, DIRECT_CHANNEL, THREAD = 0, 1, 11
DEFAULT_MESSAGE, REPLY = 0, 19

_counter = itertools.count()


def new_id() -> str:
    """Return a number with the present time in it, greater than all before."""
    ms = int(time.time() * 1000) - EPOCH_MS
    return str((ms << 22) + (next(_counter) & 0x3FFFFF))


def timestamp() -> str:
    """Return the present time as Discord writes it."""
    return datetime.now(UTC).isoformat()


def user(number: str, name: str, *, bot: bool = False) -> Json:
    """Return a person or a bot."""
    return {
        "id": number,
        "username": name.lower(),
        "discriminator": "0",
        "avatar": None,
        "bot": bot,
        "global_name": None if bot else name,
        "public_flags": 0,
    }


ADA = user("7", "Ada")


def bot_user(number: str) -> Json:
    """Return a bot as it sees itself."""
    more = {"mfa_enabled": False, "flags": 0, "locale": "en-US", "verified": True}
    return user(number, f"fake{number}", bot=True) | more


def application(number: str) -> Json:
    """Return the application that a bot belongs to."""
    return {
        "id": number,
        "name": "fake",
        "icon": None,
        "description": "",
        "bot_public": True,
        "bot_require_code_grant": False,
        "summary": "",
        "verify_key": "00",
        "flags": 0,
        "owner": ADA,
        "team": None,
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
    }


def direct_channel(number: str, last: str | None = None) -> Json:
    """Return the direct messages with a person."""
    return {"id": number, "type": DIRECT_CHANNEL, "last_message_id": last, "recipients": [ADA]}


def text_channel(number: str, guild: str, name: str, last: str | None = None) -> Json:
    """Return a channel of a server."""
    return {
        "id": number,
        "type": TEXT_CHANNEL,
        "guild_id": guild,
        "name": name,
        "position": 0,
        "permission_overwrites": [],
        "nsfw": False,
        "parent_id": None,
        "topic": None,
        "rate_limit_per_user": 0,
        "last_message_id": last,
    }


def thread(number: str, guild: str, parent: str, name: str, last: str | None = None) -> Json:
    """Return a thread in a channel."""
    return {
        "id": number,
        "type": THREAD,
        "guild_id": guild,
        "parent_id": parent,
        "owner_id": ADA["id"],
        "name": name,
        "last_message_id": last,
        "message_count": 1,
        "member_count": 1,
        "rate_limit_per_user": 0,
        "thread_metadata": {
            "archived": False,
            "auto_archive_duration": 1440,
            "archive_timestamp": timestamp(),
            "locked": False,
        },
    }


def guild(number: str, channels: list[Json], threads: list[Json]) -> Json:
    """Return a server of people as ``GUILD_CREATE`` tells of it."""
    everyone = {
        "id": number,
        "name": "@everyone",
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "position": 0,
        "permissions": "2147483647",
        "managed": False,
        "mentionable": False,
        "flags": 0,
    }
    return {
        "id": number,
        "name": "House",
        "icon": None,
        "splash": None,
        "discovery_splash": None,
        "owner_id": ADA["id"],
        "afk_channel_id": None,
        "afk_timeout": 0,
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "roles": [everyone],
        "emojis": [],
        "features": [],
        "mfa_level": 0,
        "application_id": None,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "vanity_url_code": None,
        "description": None,
        "banner": None,
        "premium_tier": 0,
        "preferred_locale": "en-US",
        "public_updates_channel_id": None,
        "nsfw_level": 0,
        "premium_progress_bar_enabled": False,
        "stickers": [],
        "large": False,
        "unavailable": False,
        "member_count": 2,
        "voice_states": [],
        "members": [],
        "channels": channels,
        "threads": threads,
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
        "joined_at": timestamp(),
    }


def message(channel: str, author: Json, content: str, **fields: Any) -> Json:
    """Return a message; ``fields`` are those of the API."""
    return {
        "id": new_id(),
        "channel_id": channel,
        "author": author,
        "content": content,
        "timestamp": timestamp(),
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "pinned": False,
        "type": DEFAULT_MESSAGE,
        "flags": 0,
        "components": [],
        **fields,
    }
