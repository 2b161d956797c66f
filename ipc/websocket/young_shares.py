"""Decides which young connection gives up its slot when all are taken. Pure.

There are few slots, and each new connection gets one. Without this rule idle connections that prove
nothing could fill them all, and a client that connects then would not outlive a kill of the
process.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Protocol, TypeVar

GRACE_SECONDS = 1.0  # since it was accepted: a client that means to ask has asked by then


class YoungStage(IntEnum):
    """How far a connection has come. One with a hello is authenticated, and gives way to none."""

    SILENT = 0
    SPOKE = 1
    GREETED = 2


class SlotHolder(Protocol):
    """A connection whose socket is in a slot."""

    @property
    def stage(self) -> YoungStage:
        """How far it has come."""

    @property
    def age(self) -> float:
        """Seconds since its socket was accepted."""


Holder = TypeVar("Holder", bound=SlotHolder)


def find_evictable(holders: Iterable[Holder]) -> Holder | None:
    """Return the oldest of those that have come least far; ``None``: none has to give way.

    A connection is let alone for ``GRACE_SECONDS``: so many that come at once and are served at
    once do not take the slots from each other.
    """
    strangers = [
        (stage, -age, each)
        for each in holders
        if (stage := each.stage) < YoungStage.GREETED and (age := each.age) >= GRACE_SECONDS
    ]
    return min(strangers, key=lambda entry: entry[:2])[2] if strangers else None
