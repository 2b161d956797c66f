"""Counts unauthenticated sockets, and decides which are closed for new ones. Pure.

A socket that proves nothing costs the process a file, and a file limit is all that keeps a
stranger from taking every one of them. So they are counted by address and in all: those without
a request yet, WebSockets before their hello, and HTTP connections that are kept alive. Where
they are too many the HTTP connection that has been idle for longest goes, which every client of
HTTP expects, and where none is idle the oldest of the others.
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol


class UnprovenSocket(Protocol):
    """An unauthenticated socket; ``close_if_idle`` closes it unless a request is being answered."""

    def close_if_idle(self) -> bool:
        """Close the socket; return false if a request on it is being answered."""


class UnprovenSockets:
    """The unauthenticated sockets of one server, by address and in total.

    ``preauth`` bounds the WebSockets of an address, and twice as many sockets without a request;
    ``http`` its HTTP connections, ``total`` all sockets of all addresses; ``None``: unbounded.
    Loopback is exempt from ``preauth``, not from the others. ``crowded`` counts the refused ones,
    ``evicted`` those that had to give way.
    """

    def __init__(self, preauth: int, http: int, total: int | None) -> None:
        self.crowded = 0
        self.evicted = 0
        self._preauth_limit, self._http_limit, self._total = preauth, http, total
        self._waiting: dict[UnprovenSocket, str | None] = {}  # oldest first; None: exempt
        self._http: dict[UnprovenSocket, str] = {}  # the one that asked last is last
        self._by_address: Counter[str] = Counter()
        self._http_by_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._http)

    def add(self, socket: UnprovenSocket, address: str, *, exempt: bool) -> bool:
        """Count a new socket; return false if its address has too many."""
        if not exempt:
            if self._by_address[address] >= 2 * self._preauth_limit:
                self.crowded += 1
                return False
            self._by_address[address] += 1
        self._waiting[socket] = None if exempt else address
        self._make_room()
        return True

    def is_crowded(self, address: str) -> bool:
        """Return whether an address has too many WebSockets before their hello."""
        crowded = self._by_address[address] > self._preauth_limit
        self.crowded += crowded
        return crowded

    def add_http(self, socket: UnprovenSocket, address: str, *, exempt: bool) -> bool:
        """Count a socket that speaks HTTP; return false if its address has too many.

        Its own idle ones give way first. An exempt address may have any number of busy ones.
        """
        self._http[socket] = address
        self._http_by_address[address] += 1
        full = self._http_by_address[address] > self._http_limit
        if full and not self._evict(address, socket) and not exempt:
            self.crowded += 1
            self.remove(socket)
            return False
        self._make_room()
        return True

    def mark_used(self, socket: UnprovenSocket) -> None:
        """Record that an HTTP connection has sent something: it is the last to be closed."""
        if socket in self._http:
            self._http[socket] = self._http.pop(socket)

    def remove(self, socket: UnprovenSocket) -> None:
        """Stop counting a socket: it is authenticated or closed."""
        address = self._waiting.pop(socket, None)
        if address is not None:
            _decrement(self._by_address, address)
        address = self._http.pop(socket, None)
        if address is not None:
            _decrement(self._http_by_address, address)

    def evict(self) -> bool:
        """Close one socket to make room; return whether there was one."""
        if self._evict(None, None):
            return True
        for socket in self._waiting:
            if socket.close_if_idle():
                self._remove_evicted(socket)
                return True
        return False

    def _make_room(self) -> None:
        while self._total is not None and len(self) > self._total and self.evict():
            pass

    def _evict(self, address: str | None, but: UnprovenSocket | None) -> bool:
        """Close the HTTP connection that was idle for longest, of any or one address."""
        for socket, owner in self._http.items():
            if socket is not but and address in (None, owner) and socket.close_if_idle():
                self._remove_evicted(socket)
                return True
        return False

    def _remove_evicted(self, socket: UnprovenSocket) -> None:
        self.evicted += 1
        self.remove(socket)


def _decrement(counter: Counter[str], address: str) -> None:
    counter[address] -= 1
    if not counter[address]:
        del counter[address]
