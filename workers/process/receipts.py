"""Waits, for a plugin, until the messages that it emitted are durable."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import msgspec

from workers.links.data import WorkerDataLink


class EmitReceipt(msgspec.Struct, gc=False):
    """The ``workers.plugin.Receipt`` of one emit or mark.

    It covers every message up to ``seq``, or the mark with the number ``mark``. It is a struct
    because one is created per message: that costs a fifth of an instance with ``__init__``.
    """

    link: WorkerDataLink
    seq: int
    mark: int = 0

    def __await__(self) -> Generator[Any, None, None]:
        """Wait for the acknowledgement; raises ``CancelledError`` if the worker ends first."""
        return self.link.wait_acknowledged(self.seq, self.mark).__await__()

    @property
    def durable(self) -> bool:
        """True once it is stored; never if the account has no journal."""
        if not self.mark:
            return self.link.is_durable(self.seq)
        positions = self.link.positions
        return positions.durable and positions.acked >= self.mark
