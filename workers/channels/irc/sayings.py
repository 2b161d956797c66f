"""Messages on their way to the server, and what becomes of them.

IRC confirms nothing; it only complains. So behind what was said goes a PING (a fence): a server
answers in order, and when the answer comes without a complaint before it, nobody refused the
message. One fence covers all that was written before it, and it is sent only when nothing else
waits, so it costs no pace under load.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from workers.errors import SendFailed

_FENCE = "said-"


@dataclass(slots=True, eq=False)
class Saying:
    """One message. ``outcome`` is set when the server had its chance to refuse it."""

    target: str  # folded
    parts: int
    outcome: asyncio.Future[None]
    written: int = 0
    fence: int | None = None

    @property
    def whole(self) -> bool:
        """Whether all of it has been written."""
        return self.written == self.parts

    def settle(self) -> None:
        """Nobody refused it."""
        if not self.outcome.done():
            self.outcome.set_result(None)

    def lose(self) -> None:
        """The connection is gone: sent whole, in part, or not at all."""
        if self.whole:
            self.settle()
        elif not self.outcome.done():
            text = f"connection lost after {self.written} of {self.parts} parts"
            self.outcome.set_exception(SendFailed(text, retryable=self.written == 0))


class Sayings:
    """All messages whose outcome is open, in the order in which they were said."""

    def __init__(self) -> None:
        self._open: list[Saying] = []
        self._fences = 0

    def begin(self, target: str, parts: int) -> Saying:
        """Add a message of so many lines."""
        saying = Saying(target, parts, asyncio.get_running_loop().create_future())
        self._open.append(saying)
        return saying

    def end(self, saying: Saying) -> None:
        """Forget a message."""
        self._open.remove(saying)

    def fence(self) -> str | None:
        """Return the token of the PING to send now, if any message needs one."""
        waiting = [saying for saying in self._open if saying.whole and saying.fence is None]
        if not waiting:
            return None
        self._fences += 1
        for saying in waiting:
            saying.fence = self._fences
        return f"{_FENCE}{self._fences}"

    def answered(self, token: str) -> None:
        """Settle what was written before the PING with this token."""
        number = token.removeprefix(_FENCE)
        if not token.startswith(_FENCE) or not number.isdecimal():
            return
        for saying in self._open:
            if saying.fence is not None and saying.fence <= int(number):
                saying.settle()

    def refuse(self, target: str, text: str) -> bool:
        """Fail the oldest message to ``target``; false when there is none."""
        for saying in self._open:
            if saying.target == target and saying.written and not saying.outcome.done():
                saying.outcome.set_exception(SendFailed(text))
                return True
        return False

    def lose(self) -> None:
        """The connection is gone."""
        for saying in self._open:
            saying.lose()
