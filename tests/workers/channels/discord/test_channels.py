from __future__ import annotations

import pytest

from workers.channels.discord.channels import MOST_CHANNELS, KnownChannels
from workers.channels.discord.objects import DiscordChannel, DiscordUser
from workers.messages import Chat

KNOWN = [
    DiscordChannel("1", 0, "g", "general"),
    DiscordChannel("2", 11, "g", "plans", "1"),
    DiscordChannel("3", 11, "g", "orphan", "99"),
    DiscordChannel("4", 1, recipients=[DiscordUser("7", "ada", "Ada")]),
    DiscordChannel("5", 3, name="we"),
]


@pytest.mark.parametrize(
    ("channel", "guild", "chat", "thread"),
    [
        ("1", "g", Chat("1", "group", "general"), None),
        ("1", None, Chat("1", "group", "general"), None),
        ("2", "g", Chat("1", "group", "general"), "2"),
        ("3", "g", Chat("99", "group"), "3"),
        ("4", None, Chat("4", "direct", "Ada"), None),
        ("5", None, Chat("5", "group", "we"), None),
        ("6", "g", Chat("6", "group"), None),
        ("6", None, Chat("6", "direct"), None),
    ],
)
def test_a_channel_is_a_chat_and_a_thread_stands_in_one(
    channel: str, guild: str | None, chat: Chat, thread: str | None
) -> None:
    channels = KnownChannels()
    for each in KNOWN:
        channels.set(each)
    assert channels.place(channel, guild) == (chat, thread)


def test_few_channels_are_remembered_the_newest() -> None:
    channels = KnownChannels()
    for number in range(MOST_CHANNELS + 2):
        channels.set(DiscordChannel(str(number), name=f"n{number}"))
        channels.set(DiscordChannel("0", name="kept"))
    assert channels.name("0") == "kept"
    assert channels.get("1") is None
    assert channels.set(DiscordChannel("0", name="x")) == DiscordChannel("0", name="kept")
    channels.forget("0")
    assert channels.name("0") is None
