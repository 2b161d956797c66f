"""What waits to be written, and when it may be.

Pure: the time is an argument. Lines of the client itself (a JOIN, say) go before what people
say; what is urgent (a PONG, the login) goes at once and is charged to the others. The lines of
one message stay together and in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from ipc.token_bucket import TokenBucket

Ticket = TypeVar("Ticket")


class Outgoing(Generic[Ticket]):
    """The queue of one connection. A ``Ticket`` says which message a line belongs to."""

    def __init__(self, bucket: TokenBucket) -> None:
        self._bucket = bucket
        self._urgent: deque[str] = deque()
        self._own: deque[str] = deque()
        self._said: deque[tuple[str, Ticket]] = deque()

    def __len__(self) -> int:
        return len(self._said)

    def pace(self, bucket: TokenBucket) -> None:
        """Go on with another bucket."""
        self._bucket = bucket

    def put(self, line: str, *, urgent: bool = False) -> None:
        """Add a line of the client itself."""
        (self._urgent if urgent else self._own).append(line)

    def say(self, lines: Iterable[str], ticket: Ticket) -> None:
        """Add the lines of one message."""
        self._said.extend((line, ticket) for line in lines)

    def withdraw(self, ticket: Ticket) -> None:
        """Forget the lines of a message that are not written yet."""
        self._said = deque(entry for entry in self._said if entry[1] is not ticket)

    def take(self, now: float) -> Iterator[tuple[str, Ticket | None]]:
        """Yield what may be written now, with the ticket of what was said."""
        while self._urgent:
            self._bucket.owe(now)
            yield self._urgent.popleft(), None
        while (self._own or self._said) and self._bucket.take(now):
            if self._own:
                yield self._own.popleft(), None
            else:
                yield self._said.popleft()

    def wait(self, now: float) -> float | None:
        """Return the seconds until ``take`` yields something, ``None`` when nothing waits."""
        if self._urgent:
            return 0.0
        return self._bucket.wait(now) if self._own or self._said else None
