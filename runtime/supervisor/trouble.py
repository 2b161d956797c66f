"""What a person at the terminal is told while the gateway does not start, and that it is up again.

Its accounts run meanwhile and messages wait, so the daemon goes on; nobody would notice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ipc.frames.words import Phase
from runtime.supervisor.gateways.managed import ManagedGateway

STUBBORN = 2  # failures in a row: one alone is over before it is read


async def tell_trouble(front: ManagedGateway, say: Callable[[str], None]) -> None:
    """Say why there is no gateway, each reason once, until cancelled."""
    told: str | None = None
    while True:
        await front.until(partial(_news, front, told), None)
        told = None if front.connected else _trouble(front)
        if told is not None:
            say(told)


def _news(front: ManagedGateway, told: str | None) -> bool:
    """Whether there is a trouble that was not told, or the one that was is over."""
    if front.connected:
        return told is not None
    return _trouble(front) not in (None, told)


def _trouble(front: ManagedGateway) -> str | None:
    state = front.child.state
    why = front.status().last_error or state.cause
    if state.phase is Phase.FAILED:
        return (
            f"the gateway does not start: {why}\n"
            "It is not tried again by itself: correct the configuration (it is then started),"
            " or `trunkline gateway start`. The accounts run without it."
        )
    if state.phase is Phase.BACKOFF and state.failures >= STUBBORN:
        return f"the gateway does not start: {why}\nIt is tried again. The accounts run without it."
    return None
