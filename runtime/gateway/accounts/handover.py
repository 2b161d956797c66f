"""Passes messages to the ring and to subscribed clients."""

from __future__ import annotations

from typing import Protocol

from runtime.gateway.accounts.fanout import Fanout
from runtime.gateway.accounts.ring import Rings


class ClientOutput(Protocol):
    """What the data link needs of the clients' server."""

    @property
    def patient(self) -> bool:
        """True while producers should hold back, because a client is behind."""

    @property
    def held_bytes(self) -> int:
        """The most memory that the connections of clients may take, in bytes."""

    def flush_soon(self) -> None:
        """Write to the clients at the end of this turn of the event loop."""


class Handover:
    """The receivers of messages that may be published. ``messages`` counts them."""

    def __init__(self, rings: Rings, fanout: Fanout) -> None:
        self.messages = 0
        self._rings = rings
        self._fanout = fanout

    def publish(
        self, key: str, incarnation: int, first: int, flags: bytes, payloads: list[bytes]
    ) -> None:
        """Pass consecutive payloads to the ring and the fan-out, numbered from ``first`` on.

        As a whole, because most of the cost is per step, not per byte.
        """
        self._rings.extend(key, incarnation, first, payloads)
        self._fanout.publish_pack(key, flags, payloads)
        self.messages += len(payloads)
