"""Provides a fake Slack for one account in the testing kit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.testing.fake import FakePlace
from workers.testing.fakes.call_faults import FOR_EVER, FROZEN_SECONDS, ServedFake
from workers.testing.fakes.slack import FakeSlack, fake_slack
from workers.testing.fakes.slack_apps import MethodFault
from workers.testing.faults import Fault, FaultKind

BOT_TOKEN = "xoxb-fake-secretofthebot-1"  # noqa: S105 - of a server that takes any
APP_TOKEN = "xapp-1-A1-secretoftheapp-1"  # noqa: S105
CHAT = "D1"
ACK_SECONDS = 2.0
RESENDS = (0.3,) * 1000  # Slack's are minutes apart


class SlackFake(ServedFake):
    """The fake server of Slack, with one app and one direct conversation."""

    server: FakeSlack
    faults: frozenset[FaultKind] = frozenset(
        {"rate_limited", "unauthorized", "outage", "half_open", "slow", "duplicate", "unanswered"}
    )
    to = CHAT

    def __init__(self) -> None:
        super().__init__()
        self.server = FakeSlack(ACK_SECONDS, RESENDS)

    async def start(self, place: FakePlace) -> Mapping[str, Any]:
        """Serve on a free port; what is not acknowledged comes again soon, and in order."""
        server = fake_slack(ack_seconds=ACK_SECONDS, resends=RESENDS, in_order=True)
        self.server = await self.stack.enter_async_context(server)
        return {"botToken": BOT_TOKEN, "appToken": APP_TOKEN, "apiRoot": self.server.root}

    async def say(self, text: str) -> None:
        """Write to the app as a person."""
        event = await self.server.say(BOT_TOKEN, text, CHAT)
        if self.twice:
            self.twice -= 1
            await self.server.event(BOT_TOKEN, event)

    def heard(self) -> Sequence[str]:
        """Return what people see of the app's messages."""
        return self.server.app(BOT_TOKEN).texts

    async def fail(self, fault: Fault) -> None:
        """Begin a fault of the calls that it concerns."""
        app, times = self.server.app(BOT_TOKEN), fault.times or FOR_EVER
        match fault.kind:
            case "outage":
                self.server.down, self.server.turned_away = True, 0
                await self.server.end_connections(BOT_TOKEN)
            case "unauthorized":
                app.error = "invalid_auth"
            case "duplicate":
                self.twice = fault.times or 1
            case "rate_limited":
                after = round(fault.seconds)
                app.faults.append(MethodFault("chat.postMessage", retry_after=after, times=times))
            case "slow":
                slow = MethodFault("chat.postMessage", slow=fault.seconds, times=times)
                app.faults.append(slow)
            case "half_open":
                app.faults.append(MethodFault(slow=FROZEN_SECONDS, times=times))
                for connection in self.server.of(BOT_TOKEN):
                    connection.frozen = True
            case "unanswered":
                app.faults.append(MethodFault("chat.postMessage", drop="after", times=times))

    async def heal(self) -> None:
        """Answer everything as it should be."""
        app = self.server.app(BOT_TOKEN)
        app.faults.clear()
        app.error, self.server.down = "", False
        self.twice = 0
