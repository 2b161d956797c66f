"""How accounts list their servers and channels."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from workers.groups import GuildConfig, RoomConfig


def test_what_is_not_said_is_left_to_what_is_around() -> None:
    guild = msgspec.convert({"channels": {"9": {"users": [1, "ada"]}}}, GuildConfig)
    assert (guild.require_mention, guild.users, guild.roles) == (None, None, None)
    assert guild.channels == {"9": RoomConfig(users=[1, "ada"])}
    assert guild.channels["9"].enabled


@pytest.mark.parametrize(
    "wrong",
    [
        {"requireMention": "no"},
        {"users": [""]},
        {"roles": "mods"},
        {"enabled": True},
        {"channels": {"9": {"allowFrom": []}}},
    ],
)
def test_what_is_no_rule_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, GuildConfig)
