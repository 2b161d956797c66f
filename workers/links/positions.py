"""Tracks the plugin's cursor: what of it is stored, and the mark under way. Pure.

A cursor is the plugin's position at the platform. It is stored with a message, or by a ``Mark``
once the messages before it are stored, so it is never newer than they are. Only one mark is in
flight, and the newest other one waits, so that a plugin may mark as often as it likes.
"""

from __future__ import annotations

from ipc.frames.data import Mark


class Positions:
    """The cursor of one account, and whether acknowledged messages are stored.

    ``stored`` is the newest durable cursor as JSON text (empty: none); ``named`` is the account's
    identity at the platform (empty: not named). ``marked`` is the newest mark, ``acked`` the newest
    acknowledged one; both count from 1. ``durable``: the gateway stores what it acknowledges.
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
        """Queue a cursor for the position after the message ``after``; return the mark's number."""
        self.marked += 1
        self._due = Mark(self.marked, after, cursor)
        return self.marked

    def next_mark(self) -> Mark | None:
        """Return the mark to send now; ``None`` if none waits or one is in flight."""
        if self._flying is not None or self._due is None:
            return None
        self._flying, self._due = self._due, None
        return self._flying

    def resend(self) -> None:
        """Queue the mark in flight again, unless a newer one waits."""
        self._due = self._due or self._flying
        self._flying = None

    def ack(self, mark: int) -> bool:
        """Handle the acknowledgement of marks up to ``mark``; return whether one was in flight."""
        flying = self._flying
        if flying is None or mark < flying.id:
            return False
        self._flying, self.acked = None, flying.id
        if self.durable and flying.after >= self._after:
            self.stored, self._after = flying.cursor, flying.after
        return True

    def on_message_ack(self, cursor: bytes, seq: int) -> None:
        """Handle the acknowledgement of the message ``seq`` with its cursor."""
        if self.durable and seq > self._after:
            self.stored, self._after = cursor, seq

    def on_welcome(self, durable: bool, oldest: int) -> None:
        """Record whether the present gateway stores what it acknowledges, from ``oldest`` on."""
        if durable and not self.durable:
            self._durable_from = oldest
        self.durable = durable

    def is_durable(self, seq: int) -> bool:
        """Return whether the acknowledged message ``seq`` is stored."""
        return self.durable and self._durable_from <= seq

    def restore(self, cursor: bytes, identity: str) -> None:
        """Set the cursor stored by an earlier process, with the identity that it belongs to."""
        self.stored, self._identity = cursor, identity
        if self.named:
            self.identify(self.named)

    def identify(self, identity: str) -> bool:
        """Set the identity that the plugin names; return whether another's cursor was dropped.

        A cursor stored without an identity is kept.
        """
        dropped = bool(self.stored and self._identity) and self._identity != identity
        if dropped:
            self.stored = b""
        self.named = self._identity = identity
        return dropped
