"""Limits the number and size of all accounts' waiting messages together. Pure.

Each waits in the journal. Its row is in memory too, its content only while there is room for it
(``HELD_BYTES``), or while it is being sent: many accounts that cannot send must fill neither the
gateway's memory nor the disk.
"""

from __future__ import annotations

from collections.abc import Callable

MAX_ROWS = 50_000  # of all accounts; a row takes about 2 KiB of memory
MAX_BYTES = 512 * 1024 * 1024  # of their contents, in the journal
HELD_BYTES = 16 * 1024 * 1024  # of contents that wait in memory


class OutboxCapacity:
    """The waiting messages: ``rows``, ``size_bytes`` of contents, ``held_bytes`` in memory.

    ``refused`` counts messages that were not accepted for want of room. ``on_leave()`` is called
    when one waits no more.
    """

    def __init__(self, on_leave: Callable[[], object] = lambda: None) -> None:
        self._on_leave = on_leave
        self.rows = self.size_bytes = self.held_bytes = 0
        self.refused = 0

    def add(self, size: int, *, held: bool) -> None:
        """Count a message; ``held``: its content is in memory."""
        self.rows += 1
        self.size_bytes += size
        self.held_bytes += size * held

    def remove(self, size: int, *, held: bool) -> None:
        """Stop counting a message."""
        self.rows -= 1
        self.size_bytes -= size
        self.held_bytes -= size * held
        self._on_leave()

    @property
    def is_full(self) -> bool:
        """Whether no more messages should be accepted."""
        return self.rows >= MAX_ROWS or self.size_bytes >= MAX_BYTES

    @property
    def is_crowded(self) -> bool:
        """Whether waiting contents should be dropped from memory."""
        return self.held_bytes > HELD_BYTES

    def refusal(self, size: int) -> str | None:
        """Return why a message of this size is refused; ``None`` if it is accepted."""
        if self.rows < MAX_ROWS and self.size_bytes + size <= MAX_BYTES:
            return None
        self.refused += 1
        return (
            f"{self.rows} messages ({self.size_bytes >> 20} MiB) of all accounts are to be sent"
            f" already, at most {MAX_ROWS} ({MAX_BYTES >> 20} MiB) are kept: `trunkline status`"
            " shows which accounts do not send"
        )
