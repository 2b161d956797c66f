"""Runs an agent in the test's process, with a recording context and turns of the test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.support.context import RecordingContext
from workers.agent import AgentManifest, Delta, Final, Turn, TurnEvent
from workers.process.loading import import_object

Events = list[TurnEvent | Final]


def asked(text: str = "hello", **fields: Any) -> Turn:
    """Return a turn with half a minute left."""
    given: dict[str, Any] = {
        "run": "r1",
        "session": "s1",
        "agent": "main",
        "deadline": int(time.time() * 1000) + 30_000,
    }
    return Turn(text=text, **given | fields)


@asynccontextmanager
async def agent_of(
    manifest: AgentManifest, directory: Path, config: dict[str, Any], **context: Any
) -> AsyncIterator[Any]:
    """Make an agent as its process does, and run it; ``agent.ctx`` is a ``RecordingContext``."""
    made = RecordingContext(msgspec.convert(config, manifest.config), directory, key="agent:main")
    for name, value in context.items():
        setattr(made, name, value)
    agent = import_object(manifest.agent)(made)
    work = asyncio.ensure_future(agent.run()) if hasattr(agent, "run") else None
    await asyncio.sleep(0)
    try:
        yield agent
    finally:
        if work is not None:
            work.cancel()
            await asyncio.wait([work])
        await made.close()


async def events_of(agent: Any, turn: Turn, seconds: float = 20) -> Events:
    """Return what a turn yields; a turn that takes too long is a ``TimeoutError``."""
    async with asyncio.timeout(seconds), aclosing(agent.turn(turn)) as events:
        return [event async for event in events]


async def failure_of_turn(agent: Any, turn: Turn, seconds: float = 20) -> Exception:
    """Return what a turn raises."""
    try:
        found = await events_of(agent, turn, seconds)
    except TimeoutError:
        raise AssertionError("the turn has not ended within its bounds") from None
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError(f"it was answered: {found}")


def text_of(events: Events) -> str:
    """Return the answer of a turn."""
    final = events[-1]
    assert isinstance(final, Final)
    if final.text is not None:
        return final.text
    return "".join(event.text for event in events if isinstance(event, Delta))
