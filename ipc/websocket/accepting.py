"""Accepts connections one by one, and hands each on before the next is accepted.

The servers of asyncio and libuv accept all that wait, and say so a turn of the loop later: a
process that is killed in between has cut off connections that it knew nothing of.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

AT_ONCE = 32  # connections in one turn of the loop
RETRY_SECONDS = 1.0  # after the process, or the host, had no room for another one

_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = logging.getLogger(__name__)


class Acceptor:
    """Calls ``accepted`` with each new connection of a listening socket, until ``close``.

    ``close`` closes the socket. Connections in its backlog wait for another process that has the
    socket open. After a connection whose descriptor is ``files`` or above no other is accepted in
    the same turn of the loop, so that what gives way to it is closed first.
    """

    def __init__(
        self,
        listen: socket.socket,
        backlog: int,
        accepted: Callable[[socket.socket], None],
        files: int | None = None,
    ) -> None:
        self._listen = listen
        self._accepted = accepted
        self._files = files
        self._loop = asyncio.get_running_loop()
        self._retry: asyncio.TimerHandle | None = None
        self._closed = False
        listen.setblocking(False)
        listen.listen(backlog)
        self._start()

    def close(self) -> None:
        """Accept no more, and close the listening socket."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._listen)
        if self._retry is not None:
            self._retry.cancel()
        self._listen.close()

    def _start(self) -> None:
        self._retry = None
        self._loop.add_reader(self._listen, self._accept)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                sock, _ = self._listen.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:  # its client has gone already
                continue
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                self._pause(error)
                return
            last = self._files is not None and sock.fileno() >= self._files
            self._accepted(sock)
            if self._closed or last:
                return

    def _pause(self, error: OSError) -> None:
        """Stop accepting for a while: meanwhile the socket would be ready all the time."""
        _log.warning("no connection is accepted for %g s: %s", RETRY_SECONDS, error)
        self._loop.remove_reader(self._listen)
        self._retry = self._loop.call_later(RETRY_SECONDS, self._start)
