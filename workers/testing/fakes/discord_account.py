"""Provides a fake Discord for one account in the testing kit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.testing.fake import FakePlace
from workers.testing.fakes.call_faults import FOR_EVER, FROZEN_SECONDS, ServedFake
from workers.testing.fakes.discord import FakeDiscord, fake_discord
from workers.testing.fakes.discord_bots import FakeDiscordBot, RestFault, token_of
from workers.testing.fakes.discord_text import shown_text
from workers.testing.faults import Fault, FaultKind

TOKEN = token_of("110")
SEND = "POST /channels"
HEARTBEAT_MS = 2_000  # so that a dead connection is found soon


class DiscordFake(ServedFake):
    """The fake server of Discord, with one bot and Ada's direct messages."""

    server: FakeDiscord
    faults: frozenset[FaultKind] = frozenset(
        {"rate_limited", "unauthorized", "outage", "half_open", "slow", "duplicate", "unanswered"}
    )
    to = "11001"

    def __init__(self) -> None:
        super().__init__()
        self.server = FakeDiscord()

    @property
    def bot(self) -> FakeDiscordBot:
        """The bot of the account."""
        return self.server.bot(TOKEN)

    async def start(self, place: FakePlace) -> Mapping[str, Any]:
        """Serve on a free port."""
        self.server = await self.stack.enter_async_context(fake_discord())
        self.server.gateway.interval = HEARTBEAT_MS
        return {"token": TOKEN, "apiRoot": self.server.root}

    async def say(self, text: str) -> None:
        """Write to the bot as a person."""
        self.bot.twice = self.twice > 0
        self.twice = max(self.twice - 1, 0)
        await self.server.say(TOKEN, text)
        self.bot.twice = False

    def heard(self) -> Sequence[str]:
        """Return what people see of the bot's messages."""
        return [shown_text(each) for each in self.bot.texts]

    async def fail(self, fault: Fault) -> None:
        """Begin a fault of the requests that it concerns."""
        faults, times = self.bot.faults, fault.times or FOR_EVER
        match fault.kind:
            case "outage":
                self.server.turned_away = 0
                self.server.down = True
            case "unauthorized":
                self.bot.revoked = True
            case "duplicate":
                self.twice = fault.times or 1
            case "rate_limited":
                after = fault.seconds
                faults.append(RestFault(SEND, status=429, retry_after=after, times=times))
            case "slow":
                faults.append(RestFault(SEND, slow=fault.seconds, times=times))
            case "half_open":
                faults.append(RestFault(slow=FROZEN_SECONDS, times=times))
                self.server.gateway.freeze()
            case "unanswered":
                faults.append(RestFault(SEND, drop="after", times=times))

    async def heal(self) -> None:
        """Answer everything as it should be."""
        self.bot.faults.clear()
        self.bot.revoked = self.server.down = False
        self.server.gateway.thaw()
        self.twice = 0
