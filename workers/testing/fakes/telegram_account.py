"""Provides a fake Bot API for one account in the testing kit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.testing.fake import FakePlace
from workers.testing.fakes.call_faults import FOR_EVER, FROZEN_SECONDS, ServedFake
from workers.testing.fakes.telegram import ApiFault, FakeTelegram, fake_telegram
from workers.testing.faults import Fault, FaultKind

TOKEN = "110:AAfakeToken_of-the-testing-kit"  # noqa: S105 - of a server that takes any
CHAT = 7


class TelegramFake(ServedFake):
    """The fake server of the Bot API, with one bot and one private chat."""

    server: FakeTelegram
    faults: frozenset[FaultKind] = frozenset(
        {
            "rate_limited",
            "unauthorized",
            "conflict",
            "outage",
            "half_open",
            "slow",
            "duplicate",
            "unanswered",
        }
    )
    to = str(CHAT)

    def __init__(self) -> None:
        super().__init__()
        self.server = FakeTelegram()

    async def start(self, place: FakePlace) -> Mapping[str, Any]:
        """Serve on a free port; polls are short, so that what happens to them is seen soon."""
        self.server = await self.stack.enter_async_context(fake_telegram())
        return {"botToken": TOKEN, "apiRoot": self.server.root, "pollSeconds": 1}

    async def say(self, text: str) -> None:
        """Write to the bot as a person."""
        message = await self.server.say(TOKEN, text, CHAT)
        if self.twice:
            self.twice -= 1
            await self.server.update(TOKEN, message=message)

    def heard(self) -> Sequence[str]:
        """Return what people see of the bot's messages."""
        return self.server.bot(TOKEN).texts

    async def fail(self, fault: Fault) -> None:
        """Begin a fault of the calls that it concerns."""
        bot, times = self.server.bot(TOKEN), fault.times or FOR_EVER
        match fault.kind:
            case "outage":
                self.server.down, self.server.turned_away = True, 0
            case "unauthorized":
                bot.revoked = True
            case "duplicate":
                self.twice = fault.times or 1
            case "rate_limited":
                after = round(fault.seconds)
                bot.faults.append(ApiFault("sendMessage", 429, retry_after=after, times=times))
            case "conflict":
                bot.faults.append(ApiFault("getUpdates", 409, times=times))
            case "slow":
                bot.faults.append(ApiFault("sendMessage", slow=fault.seconds, times=times))
            case "half_open":
                bot.faults.append(ApiFault(slow=FROZEN_SECONDS, times=times))
            case "unanswered":
                bot.faults.append(ApiFault("sendMessage", drop="after", times=times))

    async def heal(self) -> None:
        """Answer everything as it should be."""
        bot = self.server.bot(TOKEN)
        bot.faults.clear()
        bot.revoked = self.server.down = False
        self.twice = 0
