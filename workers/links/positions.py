"""Tracks the plugin's cursor: what of it is stored, and the mark under way. Pure.

A cursor is the plugin's position at the platform. It is stored with a message, or by a ``Mark``
once the messages before it are stored; so it is never newer than they are. One mark is on its
way at a time, and the newest one waits behind it, so that a plugin may mark as often as it likes.
"""

from __future__ import annotations

from ipc.frames.data import Mark


class Positions:
    """The cursor of one account, and whether what is acknowledged is stored.

    ``stored`` is the newest durable cursor as JSON text, empty: none; ``named`` is what the
    plugin calls itself at the platform, empty: it has not said. ``marked`` is the newest mark,
    ``acked`` the newest that is acknowledged; both count from 1. ``durable``: the gateway stores
    what it acknowledges.
    """

    __slots__ = (
        "_after",
        "_due",
        "_durable_from",
        "_flying",
        "_identity",
        "acked",
        "durable",
        "marked",
        "named",
        "stored",
    )

    def __init__(self) -> None:
        self.stored = b""
        self.named = ""
        self.marked = 0
        self.acked = 0
        self.durable = False
        self._durable_from = 1  # the first message that such a gateway has acknowledged
        self._identity = ""  # to which ``stored`` belongs
        self._after = 0  # the message after which ``stored`` is the position
        self._flying: Mark | None = None
        self._due: Mark | None = None

    @property
    def idle(self) -> bool:
        """True when every mark is acknowledged."""
        return self.acked == self.marked

    def mark(self, cursor: bytes, after: int) -> int:
        """Queue a cursor that belongs after the message ``after``; return the mark's number."""
        self.marked += 1
        self._due = Mark(self.marked, after, cursor)
        return self.marked

    def take(self) -> Mark | None:
        """Return the mark to send now; ``None``: none waits, or one is on its way."""
        if self._flying is not None or self._due is None:
            return None
        self._flying, self._due = self._due, None
        return self._flying

    def resend(self) -> None:
        """Queue the mark on its way again, unless a newer one waits."""
        self._due = self._due or self._flying
        self._flying = None

    def ack(self, mark: int) -> bool:
        """Take that marks up to ``mark`` are acknowledged; return whether one on its way was."""
        flying = self._flying
        if flying is None or mark < flying.id:
            return False
        self._flying, self.acked = None, flying.id
        if self.durable and flying.after >= self._after:
            self.stored, self._after = flying.cursor, flying.after
        return True

    def store(self, cursor: bytes, seq: int) -> None:
        """Take that the message ``seq`` is acknowledged, and its cursor with it."""
        if self.durable and seq > self._after:
            self.stored, self._after = cursor, seq

    def follow(self, durable: bool, oldest: int) -> None:
        """Take whether the present gateway stores what it acknowledges, from ``oldest`` on."""
        if durable and not self.durable:
            self._durable_from = oldest
        self.durable = durable

    def is_durable(self, seq: int) -> bool:
        """Return whether the message ``seq``, which is acknowledged, is stored."""
        return self.durable and self._durable_from <= seq

    def recall(self, cursor: bytes, identity: str) -> None:
        """Take the cursor that was stored before this process, and whose it was."""
        self.stored, self._identity = cursor, identity
        if self.named:
            self.identify(self.named)

    def identify(self, identity: str) -> bool:
        """Take the identity that the plugin names; return whether a cursor of another is dropped.

        A cursor that was stored without an identity counts as this one's.
        """
        dropped = bool(self.stored and self._identity) and self._identity != identity
        if dropped:
            self.stored = b""
        self.named = self._identity = identity
        return dropped
