"""Queues lines until the server's flood limit allows them. Pure.

The time is an argument. Lines of the client itself (a JOIN, say) go before messages; urgent
ones (a PONG, the login) go at once and are charged to the others. The lines of one message
stay together and in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from ipc.token_bucket import TokenBucket

Ticket = TypeVar("Ticket")


class Outgoing(Generic[Ticket]):
    """The queue of one connection. A ``Ticket`` identifies the message of a line."""

    def __init__(self, bucket: TokenBucket) -> None:
        self._bucket = bucket
        self._urgent: deque[str] = deque()
        self._own: deque[str] = deque()
        self._messages: deque[tuple[str, Ticket]] = deque()

    def __len__(self) -> int:
        return len(self._messages)

    def set_bucket(self, bucket: TokenBucket) -> None:
        """Use another token bucket from now on."""
        self._bucket = bucket

    def put(self, line: str, *, urgent: bool = False) -> None:
        """Queue a line of the client itself."""
        (self._urgent if urgent else self._own).append(line)

    def put_message(self, lines: Iterable[str], ticket: Ticket) -> None:
        """Queue the lines of one message."""
        self._messages.extend((line, ticket) for line in lines)

    def withdraw(self, ticket: Ticket) -> None:
        """Remove the lines of a message that are not written yet."""
        self._messages = deque(entry for entry in self._messages if entry[1] is not ticket)

    def pop(self, now: float) -> Iterator[tuple[str, Ticket | None]]:
        """Yield the lines that may be written now, those of messages with their ticket."""
        while self._urgent:
            self._bucket.overdraw(now)
            yield self._urgent.popleft(), None
        while (self._own or self._messages) and self._bucket.reserve(now):
            if self._own:
                yield self._own.popleft(), None
            else:
                yield self._messages.popleft()

    def delay(self, now: float) -> float | None:
        """Return the seconds until ``pop`` yields a line; ``None`` when none waits."""
        if self._urgent:
            return 0.0
        return self._bucket.delay(now) if self._own or self._messages else None
