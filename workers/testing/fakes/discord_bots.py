"""Holds the state of the bots of a fake Discord, and the faults set for them."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from workers.testing.fakes.call_faults import CallFault, next_fault
from workers.testing.fakes.discord_gateway import GatewayBot
from workers.testing.fakes.discord_objects import Json


class RefusedRequest(Exception):
    """The answer to a request that is not carried out."""

    def __init__(self, status: int, code: int = 0, text: str = "", **fields: Any) -> None:
        super().__init__(text)
        self.status = status
        self.body: Json = {"message": text, "code": code, **fields}


@dataclass(slots=True)
class RestFault(CallFault):
    """What goes wrong with requests in which ``route`` stands.

    A request is ``POST /channels/1/messages``. ``status`` and ``code`` refuse, with
    ``retry_after`` for 429 and ``everywhere`` for its global kind.
    """

    route: str = ""
    status: int = 0
    code: int = 0
    retry_after: float | None = None
    everywhere: bool = False

    def refusal(self) -> RefusedRequest | None:
        """Return the refusal, if this fault is one."""
        if not self.status:
            return None
        if self.retry_after is None:
            return RefusedRequest(self.status, self.code, "made up by the test")
        asked = {"retry_after": self.retry_after, "global": self.everywhere}
        return RefusedRequest(self.status, self.code, "You are being rate limited.", **asked)


@dataclass(slots=True)
class FakeDiscordBot(GatewayBot):
    """A bot: what it has sent, and how often it has asked for what.

    ``sent`` holds the bodies of what was carried out, with ``route`` and the ``id`` of a message
    that was made; ``limits`` are further headers of each answer.
    """

    sent: list[Json] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    faults: list[RestFault] = field(default_factory=list)
    limits: dict[str, str] = field(default_factory=dict)

    @property
    def direct(self) -> str:
        """The channel of Ada's direct messages with it."""
        return self.id + "01"

    def direct_with(self, person: int) -> str:
        """Return the channel of the direct messages of one of 100 people; the first is Ada."""
        return f"{self.id}9{person:02}" if person else self.direct

    def is_direct(self, channel: str) -> bool:
        """Return whether a channel is that of direct messages with a person."""
        return channel == self.direct or channel[:-2] == f"{self.id}9"

    @property
    def guild(self) -> str:
        """The server of people that it is in."""
        return self.id + "02"

    @property
    def general(self) -> str:
        """A channel of that server."""
        return self.id + "03"

    @property
    def thread(self) -> str:
        """A thread in that channel."""
        return self.id + "04"

    @property
    def hidden(self) -> str:
        """A channel of that server which it may not read."""
        return self.id + "05"

    @property
    def texts(self) -> list[str]:
        """The texts of its messages, in the order in which they were sent."""
        return [each["content"] for each in self.sent if each["made"]]

    def fault_for(self, request: str) -> RestFault | None:
        """Return the fault that this request meets, and count it."""
        return next_fault(self.faults, lambda each: each.route in request)


def number_in(token: str) -> str | None:
    """Return the number of the bot in a token; ``None`` when there is none."""
    first = token.partition(".")[0]
    try:
        number = base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    return number if number.isdecimal() else None


def token_of(number: str) -> str:
    """Return a token of the bot with this number."""
    first = base64.urlsafe_b64encode(number.encode()).decode().rstrip("=")
    return f"{first}.AAAAAA.secret-part-of-the-token-{number}"
