"""What every channel has to do, done by ``discord``."""

from __future__ import annotations

from workers.testing.conformance import ChannelConformance, ChannelUnderTest
from workers.testing.fakes.discord_account import DiscordFake


class TestDiscord(ChannelConformance):
    channel = ChannelUnderTest(
        "workers.channels.discord:manifest",
        DiscordFake,
        cannot={"conflict": "sessions of one bot live side by side, and hear the same"},
    )
