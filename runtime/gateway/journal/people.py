"""Defines the records of people who ask to be admitted to an account. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from ipc.freshness import is_fresh
from workers.messages import Sender

PENDING_MS = 3_600_000  # for so long a code is valid

PersonState = Literal["pending", "allowed", "blocked", "forgotten"]


class Person(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The record of a sender of one account. Times are epoch milliseconds.

    ``id`` is that of the request, ``code`` what the person was given. ``verified``: the platform
    vouched for the sender when the person asked, and has to ever after. ``created`` is when the
    state began, ``seen`` when the person last wrote while it waits. A record of a person who is
    ``forgotten`` takes the one before away.
    """

    sender: str
    state: PersonState = "pending"
    id: str = ""
    code: str = ""
    chat: str = ""
    name: str = ""
    verified: bool = False
    created: int = 0
    seen: int = 0

    def admits(self, sender: Sender) -> bool:
        """Return whether the person is approved, so that messages are answered."""
        return self.state == "allowed" and (sender.verified or not self.verified)

    def waits(self, now: int) -> bool:
        """Return whether the request is open."""
        return self.state == "pending" and is_fresh(self.created, PENDING_MS, now)

    def is_late(self, now: int) -> bool:
        """Return whether the request expired without a decision."""
        return self.state == "pending" and not self.waits(now)

    @property
    def expires(self) -> int:
        """The time at which the code expires."""
        return self.created + PENDING_MS


class PeopleChanged(msgspec.Struct, frozen=True):
    """The records of some people of an account have changed."""

    key: str
    people: list[Person]
