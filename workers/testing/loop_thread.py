"""Runs an event loop in a thread, so that tests need none of their own."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

# Seconds; ten times and more of what anything here takes. A busy host may need more.
PATIENCE = float(os.environ.get("TRUNKLINE_KIT_PATIENCE") or 30.0)
PAUSE = 0.02  # seconds between two checks of a condition


class LoopThread:
    """An event loop that turns until ``close``."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._turn, name="trunkline kit", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], within: float = PATIENCE) -> T:
        """Return what the coroutine returns. Raises ``TimeoutError`` after ``within`` seconds."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(within)
        except TimeoutError:
            if future.cancel():
                name = getattr(work, "__qualname__", "it")
                raise TimeoutError(f"{name} takes longer than {within:g} s") from None
            raise

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Return what the function returns on the loop's thread."""

        async def called() -> T:
            return function(*args)

        return self.run(called())

    def close(self) -> None:
        """End all that runs on it, and the thread."""
        self.run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def _turn(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def wait_until(
    seen: Callable[[], T], sentence: str | Callable[[], str], within: float | None = None
) -> T:
    """Return the first true value of ``seen()``.

    Raises ``AssertionError`` with ``sentence``, what should have been, after ``within`` seconds.
    """
    within = PATIENCE if within is None else within
    deadline = time.monotonic() + within
    while not (value := seen()):
        if time.monotonic() >= deadline:
            text = sentence if isinstance(sentence, str) else sentence()
            raise AssertionError(f"after {within:g} s: {text}")
        time.sleep(PAUSE)
    return value
