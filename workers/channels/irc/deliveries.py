"""Tracks sent messages until the server has accepted or refused them.

IRC confirms nothing; it only complains. So after a message goes a PING (a fence): a server
answers in order, and when the answer comes without a complaint before it, the message was not
refused. One fence covers all that was written before it, and it is sent only when nothing else
waits, so it costs no pace under load.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import msgspec

from workers.errors import MaybeSent, Reason, SendFailed

_FENCE = "said-"
_REASONS: dict[str, Reason] = {  # by the numeric of the refusal (RFC 2812 5.2)
    "401": "not_found",
    "403": "not_found",
    "404": "forbidden",
    "442": "forbidden",
    "477": "forbidden",
    "489": "forbidden",
    "531": "blocked",
    "716": "blocked",
}


class Delivery(msgspec.Struct, eq=False):
    """One message of ``parts`` lines. ``outcome`` is set once the server could have refused it."""

    target: str  # folded
    parts: int
    outcome: asyncio.Future[None]
    written: int = 0  # lines
    fence: int | None = None

    @property
    def whole(self) -> bool:
        """True when all its lines have been written."""
        return self.written == self.parts

    def count_line(self) -> None:
        """Count one more line as written."""
        self.written += 1

    def confirm(self) -> None:
        """End the message as delivered: it was not refused."""
        if not self.outcome.done():
            self.outcome.set_result(None)

    def on_lost(self) -> None:
        """Fail the message because the connection is lost; written parts may have arrived."""
        if self.outcome.done():
            return
        text = f"connection lost after {self.written} of {self.parts} parts"
        if self.written:
            text += ", before the server had answered; the message may have been delivered"
            self.outcome.set_exception(MaybeSent(text))
        else:
            self.outcome.set_exception(SendFailed(text, reason="unavailable"))


class Deliveries:
    """The messages whose outcome is open, in the order in which they were sent."""

    def __init__(self) -> None:
        self._open: list[Delivery] = []
        self._fences = 0

    def begin(self, target: str, parts: int) -> Delivery:
        """Add and return a message of ``parts`` lines to ``target`` (folded)."""
        delivery = Delivery(target, parts, asyncio.get_running_loop().create_future())
        self._open.append(delivery)
        return delivery

    def end(self, delivery: Delivery) -> None:
        """Remove a message."""
        self._open.remove(delivery)

    def fence(self) -> str | None:
        """Return the token of the PING to send now; ``None`` when no message needs one."""
        waiting = [delivery for delivery in self._open if delivery.whole and delivery.fence is None]
        if not waiting:
            return None
        self._fences += 1
        for delivery in waiting:
            delivery.fence = self._fences
        return f"{_FENCE}{self._fences}"

    def on_pong(self, token: str) -> None:
        """Settle what was written before the PING with this token."""
        number = token.removeprefix(_FENCE)
        if not token.startswith(_FENCE) or not number.isdecimal() or len(number) > 18:
            return
        for delivery in self._open:
            if delivery.fence is not None and delivery.fence <= int(number):
                delivery.confirm()

    def refuse(self, targets: Collection[str], text: str) -> bool:
        """Fail the oldest written message to one of ``targets``; return whether there was one.

        Without targets the oldest one is meant.
        """
        for delivery in self._open:
            meant = not targets or delivery.target in targets
            if meant and delivery.written and not delivery.outcome.done():
                reason = _REASONS.get(text.partition(" ")[0])
                delivery.outcome.set_exception(SendFailed(text, reason=reason))
                return True
        return False

    def on_lost(self) -> None:
        """End every message because the connection is gone."""
        for delivery in self._open:
            delivery.on_lost()
