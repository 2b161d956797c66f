"""Defines what every system under test can do: start, emit at a rate, name its processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

_SEND = (
    '"method":"send","params":{"channel":"source","accountId":"w#","to":"someone",'
    '"message":"hello","idempotencyKey":"@"}'
)
# What is asked of every system, without type and id, by who answers it.
REQUESTS = {
    "gateway": '"method":"last-heartbeat"',
    "health": '"method":"health"',
    "worker": _SEND,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """How clients of the generator connect to a system: its port and their options."""

    port: int
    options: tuple[str, ...] = ()
    connect: str | None = None

    def words(self) -> list[str]:
        """Return the options as the generator takes them."""
        return [*self.options, *(("--connect", self.connect) if self.connect else ())]


@dataclass(frozen=True, slots=True)
class Order:
    """An order to emit, for the first ``workers`` sources.

    ``rate``: messages a second of each, -1 for as fast as they may; ``size``: bytes of text.
    """

    workers: int = 1
    rate: float = -1
    size: int = 200


@dataclass(frozen=True, slots=True)
class Processes:
    """The pids of a system by what they do."""

    gateway: Sequence[int] = ()
    workers: Sequence[int] = ()
    others: Sequence[int] = field(default=())

    def groups(self) -> dict[str, Sequence[int]]:
        """Return them by name."""
        return {"gateway": self.gateway, "workers": self.workers, "others": self.others}


class System(Protocol):
    """A system that runs from ``start`` to ``stop``, silent unless ordered to emit."""

    name: str

    async def start(self) -> None:
        """Start, and return when clients can connect."""

    async def stop(self) -> None:
        """Stop, and leave nothing behind."""

    def entry(self, *, events: bool = True) -> Entry:
        """Return how clients connect; ``events``: those that get the messages."""

    async def emit(self, order: Order) -> None:
        """Emit as ordered from now on."""

    async def silence(self) -> None:
        """Stop emitting."""

    def processes(self) -> Processes:
        """Return the processes that run."""
