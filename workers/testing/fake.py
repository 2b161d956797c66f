"""Defines the interface of a fake platform, and the channel that the testing kit tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from workers.testing.faults import Fault, FaultKind


@dataclass(frozen=True, slots=True)
class FakePlace:
    """Where the account under test runs: its sockets' directory, its id, a directory to use.

    ``ingress_url`` is the address below which a platform reaches an account with ``ingress: true``.
    """

    run_dir: Path
    account_id: str
    directory: Path
    ingress_url: str = ""


class Fake(Protocol):
    """A platform for tests, seen by one account. All of it runs on one event loop of its own.

    Derive from it: what stands here is right for most. ``faults`` names what it can do wrong.
    ``to`` is the chat in which somebody speaks and is spoken to. ``turned_away`` counts the tries
    of the account that an outage, a refusal or a limit has met.
    """

    faults: frozenset[FaultKind] = frozenset()
    to: str = ""
    turned_away: int = 0

    async def start(self, place: FakePlace) -> Mapping[str, Any]:
        """Begin to serve; return the account's fields: addresses, credentials."""
        raise NotImplementedError

    async def close(self) -> None:
        """End all of it."""
        raise NotImplementedError

    async def say(self, text: str) -> None:
        """Write ``text`` to the account as a person. It waits where the platform would wait."""
        raise NotImplementedError

    def heard(self) -> Sequence[str]:
        """Return the texts that people have seen from the account, one of each message sent."""
        raise NotImplementedError

    async def meet(self) -> None:
        """Connect the person to the account that has just started: for example join its room."""
        return  # most platforms have nothing to do

    async def fail(self, fault: Fault) -> None:
        """Begin a fault. Called only for what ``faults`` names."""
        # Two statements: a body that only raises makes a method of a protocol abstract.
        text = f"{type(self).__name__} cannot do this wrong: {fault.kind}"
        raise NotImplementedError(text)

    async def heal(self) -> None:
        """End all faults."""
        return  # as nothing does


@dataclass(frozen=True, slots=True)
class ChannelUnderTest:
    """A channel, the fake of its platform, and what they do not have.

    ``manifest`` is its import string. ``fake`` makes a fake: a class without arguments will do.
    ``config`` holds further fields of the account. ``cannot`` names, each with its reason, what
    this channel or its network does not have; ``workers.testing.conformance.CANNOT`` lists the
    words and what is tested instead.
    """

    manifest: str
    fake: Callable[[], Fake]
    config: Mapping[str, Any] = field(default_factory=dict)
    cannot: Mapping[str, str] = field(default_factory=dict)
