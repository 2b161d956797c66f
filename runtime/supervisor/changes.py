"""Notifies the followers of a supervised child: waiting callers, and one callback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from ipc import timeouts
from ipc.frames.words import Phase
from runtime.supervisor.child import Child

log = structlog.get_logger("supervisor")


class Changes:
    """The followers of the child ``name``. ``on_change()`` is called after every change."""

    def __init__(self, name: str, on_change: Callable[[], None]) -> None:
        self._name = name
        self._on_change = on_change
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def notify(self) -> None:
        """Wake the callers whose condition has come true, then call ``on_change``.

        An exception of the callback is logged: it must not cost the child its supervision.
        """
        for condition, future in self._waiting:
            if not future.done() and condition():
                future.set_result(None)
        try:
            self._on_change()
        except Exception:
            log.exception("callback of a change failed", child=self._name)

    async def until(self, condition: Callable[[], bool], timeout: float | None) -> bool:
        """Wait until ``condition()`` is true; return whether it became so within ``timeout``.

        It is tested now and after every change. Events posted before are handled first.
        """
        await asyncio.sleep(0)  # the child empties its mailbox in the turn that is due now
        if condition():
            return True
        entry = (condition, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        try:
            async with timeouts.timeout(timeout):
                await entry[1]
        except TimeoutError:
            return False
        finally:
            self._waiting.remove(entry)
        return True


def next_try_at(child: Child) -> int | None:
    """Return the time of a child's next automatic try in epoch milliseconds; ``None`` if none."""
    due = child.deadline
    if child.state.phase not in (Phase.BACKOFF, Phase.FAILED) or due is None:
        return None
    left = due - asyncio.get_running_loop().time()
    return int((time.time() + left) * 1000)
