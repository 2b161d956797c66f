"""Holds the state of a fake Slack: apps, what they have sent, and the faults set for them."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from workers.testing.fakes.call_faults import CallFault, next_fault

Json = dict[str, Any]

SCOPES = (
    "chat:write,channels:history,groups:history,im:history,im:write,reactions:write,files:read,"
    "files:write,users:read"
)


class RefusedMethod(Exception):
    """The answer to a method that is not carried out."""

    def __init__(self, error: str, status: int = 200, retry_after: int | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self.body: Json = {"ok": False, "error": error}


@dataclass(slots=True)
class MethodFault(CallFault):
    """What goes wrong with calls of ``method`` ("" is any).

    ``error`` refuses by that code, with ``needed`` beside it; ``retry_after`` refuses with 429.
    """

    method: str = ""
    error: str = ""
    needed: str = ""
    retry_after: int | None = None

    def refusal(self) -> RefusedMethod | None:
        """Return the refusal, if this fault is one."""
        if self.retry_after is not None:
            return RefusedMethod("ratelimited", 429, self.retry_after)
        if not self.error:
            return None
        refused = RefusedMethod(self.error)
        if self.needed:
            refused.body |= {"needed": self.needed, "provided": "identify"}
        return refused


@dataclass(slots=True)
class SentEnvelope:
    """An envelope that was sent to an app. ``retry`` counts those before it with the same."""

    id: str
    retry: int
    event_id: str
    acknowledged: float | None = None  # by the monotonic clock


@dataclass(slots=True)
class FakeApp:
    """An app in a workspace: its bot, its connections' switch, what it has sent.

    ``sent`` holds the parameters of what was carried out, with ``method`` and ``ts``.
    ``envelopes`` are all that it was sent. ``undelivered`` counts events that Slack has given up.
    ``error`` is the code by which each call is refused: ``token_revoked``, say.
    """

    number: str
    scopes: str = SCOPES
    sent: list[Json] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    faults: list[MethodFault] = field(default_factory=list)
    envelopes: list[SentEnvelope] = field(default_factory=list)
    error: str = ""
    socket_mode: bool = True
    undelivered: int = 0

    @property
    def user_id(self) -> str:
        """The bot's id as a member of the workspace."""
        return f"UBOT{self.number}"

    @property
    def bot_id(self) -> str:
        """The bot's id as a bot."""
        return f"B{self.number}"

    @property
    def texts(self) -> list[str]:
        """What people see of the messages that were posted, in their order."""
        posted = [each for each in self.sent if each["method"] == "chat.postMessage"]
        return [shown_text(each.get("text", "")) for each in posted]

    @property
    def acknowledged(self) -> set[str]:
        """The ids of the events that were acknowledged."""
        return {each.event_id for each in self.envelopes if each.acknowledged is not None}

    def fault_for(self, method: str) -> MethodFault | None:
        """Return the fault that this call meets, and count it."""
        return next_fault(self.faults, lambda each: each.method in ("", method))


@dataclass(slots=True)
class Channel:
    """A channel of the workspace, and what was said in it."""

    id: str
    name: str = "room"
    archived: bool = False
    member: bool = True  # whether bots are in it
    members: list[str] = field(default_factory=lambda: ["U1"])
    messages: list[Json] = field(default_factory=list)

    @property
    def info(self) -> Json:
        """The channel as ``conversations.info`` returns it."""
        if self.id.startswith("D"):
            return {"id": self.id, "is_im": True, "user": "U1", "created": 1}
        return {
            "id": self.id,
            "name": self.name,
            "is_channel": True,
            "is_im": False,
            "is_archived": self.archived,
            "is_member": self.member,
            "created": 1,
        }


class Clock:
    """Returns the ``ts`` of messages: a time, unique and growing."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def ts(self) -> str:
        """Return the next one."""
        return f"{int(time.time())}.{next(self._numbers):06d}"


def shown_text(text: str) -> str:
    """Return a text as people see it, as far as tests look: without entities."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
