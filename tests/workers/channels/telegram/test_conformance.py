"""What every channel has to do, done by ``telegram``."""

from __future__ import annotations

from workers.testing.conformance import ChannelConformance, ChannelUnderTest
from workers.testing.fakes.telegram_account import TelegramFake


class TestTelegram(ChannelConformance):
    channel = ChannelUnderTest("workers.channels.telegram:manifest", TelegramFake)
