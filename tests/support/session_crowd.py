"""Many people who talk to one agent of a real daemon, each in a session of their own."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.support import gathering_agent
from tests.support.agent_packages import install_kind
from tests.support.person import Person, talking

ROOM = 100  # people of one account of ``local``
LINES = ("one", "two", "three")  # that each says at once


class Heard(NamedTuple):
    """The answers to a crowd. ``most`` is the number of concurrent turns that the agent reported.

    ``wrong`` are the answers of people who did not hear one answer to each line, in order.
    """

    seconds: float
    most: Counter[int]
    wrong: list[list[str]]


def crowd_config(people: int, at_once: int) -> dict[str, Any]:
    """Return the configuration of a daemon that has room for so many people.

    The agent answers the first one once ``at_once`` have a turn, which is all that may.
    """
    main = {"kind": gathering_agent.KIND, "crowd": at_once}
    names = [f"a{number}" for number in range(-(-people // ROOM))]
    return {
        "agents": {"default": "main", "entries": {"main": main}, "maxConcurrent": at_once},
        "channels": {"local": {"accounts": {name: {} for name in names}}},
    }


def install(directory: Path) -> Path:
    """Install the agent; return the path for PYTHONPATH."""
    return install_kind(directory, gathering_agent.KIND, gathering_agent.MANIFEST)


@asynccontextmanager
async def crowd(daemon: Any, people: int) -> AsyncIterator[list[Person]]:
    """Connect so many people to the accounts of a running daemon."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(talking(daemon, f"a{number // ROOM}"))
            for number in range(people)
        ]


async def all_talk(people: list[Person]) -> Heard:
    """Send all lines of all people at once, and collect the answers."""
    begun = time.monotonic()
    for person in people:
        person.says(*LINES)
    answers = await asyncio.gather(*(person.hears(len(LINES)) for person in people))
    most: Counter[int] = Counter()
    wrong = []
    for heard in answers:
        words = [line.rpartition(" ") for line in heard]
        if tuple(text for text, _, _ in words) != LINES:
            wrong.append(heard)
        for _, _, count in words:
            with contextlib.suppress(ValueError):
                most[int(count)] += 1
    return Heard(time.monotonic() - begun, most, wrong)
