"""What every system under test can do: start, speak at a rate, say which processes it has."""

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
    """How clients of the generator enter a system: its port and the options for that."""

    port: int
    options: tuple[str, ...] = ()
    connect: str | None = None

    def words(self) -> list[str]:
        """Return the options as the generator takes them."""
        return [*self.options, *(("--connect", self.connect) if self.connect else ())]


@dataclass(frozen=True, slots=True)
class Order:
    """``workers`` sources speak: ``rate`` messages a second each (-1: as fast as they may) of
    ``size`` bytes of text.
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
    """A system that runs from ``start`` to ``stop``, silent unless it was told to speak."""

    name: str

    async def start(self) -> None:
        """Be ready for clients."""

    async def stop(self) -> None:
        """Leave nothing behind."""

    def entry(self, *, events: bool = True) -> Entry:
        """Return how clients enter, those that want the messages or those that do not."""

    async def speak(self, order: Order) -> None:
        """Speak from now on as ordered."""

    async def hush(self) -> None:
        """Say nothing any more."""

    def processes(self) -> Processes:
        """Return what runs."""
