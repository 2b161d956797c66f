from __future__ import annotations

from typing import Any

import msgspec
import pytest

from workers.channels.discord.config import DiscordConfig, bot_id
from workers.testing.fakes.discord_bots import token_of


def test_a_wrong_server_is_refused_with_an_example() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"apiRoot must begin .*discord\.com"):
        msgspec.convert({"token": "a", "apiRoot": "discord.com"}, DiscordConfig)


def test_a_server_of_ones_own_is_taken() -> None:
    config = msgspec.convert({"token": "a", "apiRoot": "http://[::1]:8081"}, DiscordConfig)
    assert config.api_root == "http://[::1]:8081"


@pytest.mark.parametrize(
    ("token", "number"),
    [
        (token_of("1234567890"), "1234567890"),
        ("MTIz.a.b", "123"),
        ("MTIz", None),
        ("MTIz.a", None),
        ("YWJj.a.b", None),
        ("*.a.b", None),
        ("é.a.b", None),
        (None, None),
        ({"source": "env", "id": "X"}, None),
    ],
)
def test_the_number_of_a_bot_is_public(token: Any, number: str | None) -> None:
    assert bot_id(token) == number


@pytest.mark.parametrize(
    ("guilds", "wrong"),
    [
        ({"123": {"channels": {"456": {}, "*": {}}}, "*": {}}, None),
        ({"my-server": {}}, "guilds: 'my-server' is not a number"),
        ({"\u0661": {}}, "is not a number"),
        (
            {"123": {"channels": {"#general": {}}}},
            "guilds.123.channels: '#general' is not a number",
        ),
    ],
)
def test_servers_and_channels_are_named_by_their_numbers(guilds: Any, wrong: str | None) -> None:
    given = {"token": "a", "guilds": guilds}
    if wrong is None:
        assert set(msgspec.convert(given, DiscordConfig).guilds) == set(guilds)
        return
    with pytest.raises(msgspec.ValidationError, match=wrong):
        msgspec.convert(given, DiscordConfig)
