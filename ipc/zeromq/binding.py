"""Binds a ZeroMQ socket to a path, keeps it bound, and hides the path from new peers for a moment.

ZeroMQ accepts connections in a thread of its own, as fast as they come. It has no call that pauses
that: ``unbind`` ends the accepted connections, too. If no file is left for a connection, ZeroMQ
aborts the process. A socket without a known name gets no connections beyond those that wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from pathlib import Path

import zmq

from ipc.errors import EndpointError
from ipc.socket_files import SocketIdentity, identity
from ipc.zeromq.socket import bind

CHECK_SECONDS = 1.0  # between two checks of the socket file
HIDDEN_SECONDS = 0.1  # a worker that finds no socket tries again within 0.2 s
MOST_HIDDEN_SECONDS = 1.0  # in a row: peers that know the file otherwise must not hide it for ever


class Binding:
    """The file of one bound socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: SocketIdentity | None = None
        self._socket: zmq.Socket[bytes] | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._hidden: Path | None = None
        self._shown: asyncio.TimerHandle | None = None
        self._hidden_at = 0.0

    def open(self, socket: zmq.Socket[bytes]) -> None:
        """Bind the socket. Raises ``EndpointError``."""
        self._file = bind(socket, self.path)
        self._socket = socket
        self._schedule_check()

    def replace(self, socket: zmq.Socket[bytes]) -> None:
        """Bind another socket instead of a closed one; a failure is retried."""
        self._forget_hidden()
        self.path.unlink(missing_ok=True)
        self._file, self._socket = None, socket
        with contextlib.suppress(EndpointError, OSError):
            self._file = bind(socket, self.path)

    def hide(self) -> None:
        """Hide the file for a moment, because too many peers connect; others are not affected.

        A file that is hidden already stays so for another moment, but not for long.
        """
        now = self._loop.time()
        if self._hidden is not None:
            if now - self._hidden_at < MOST_HIDDEN_SECONDS - HIDDEN_SECONDS:
                self._show_later()
            return
        if identity(self.path) != self._file:
            return
        hidden = self.path.with_name(f"{self.path.name}.{secrets.token_hex(8)}")
        with contextlib.suppress(OSError):
            os.rename(self.path, hidden)
            self._hidden, self._hidden_at = hidden, now
            self._show_later()

    def close(self) -> None:
        """Remove the file, unless another binder has replaced it."""
        if self._timer is not None:
            self._timer.cancel()
        self._forget_hidden()
        if self._file is not None and identity(self.path) == self._file:
            self.path.unlink(missing_ok=True)

    def _show_later(self) -> None:
        if self._shown is not None:
            self._shown.cancel()
        self._shown = self._loop.call_later(HIDDEN_SECONDS, self._show)

    def _show(self) -> None:
        """Restore the name of the file, unless another binder has it."""
        hidden, self._hidden = self._hidden, None
        if hidden is None:
            return
        with contextlib.suppress(OSError):  # else ``_ensure_bound`` binds again
            if identity(self.path) is None:
                os.rename(hidden, self.path)
            else:
                hidden.unlink()

    def _forget_hidden(self) -> None:
        """Remove the file if it is hidden, instead of restoring its name."""
        hidden, self._hidden = self._hidden, None
        if self._shown is not None:
            self._shown.cancel()
        if hidden is not None:
            hidden.unlink(missing_ok=True)

    def _schedule_check(self) -> None:
        self._timer = self._loop.call_later(CHECK_SECONDS, self._ensure_bound)

    def _ensure_bound(self) -> None:
        """Bind again if the socket file is gone: cleaners of /tmp and logouts remove it.

        Connected peers are not affected, but new ones would not find the socket. A file of another
        binder is left alone. A failure is retried.
        """
        self._schedule_check()  # first: whatever goes wrong below, it is checked again
        if self._hidden is None and self._socket is not None and identity(self.path) is None:
            with contextlib.suppress(EndpointError, OSError):
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._file = bind(self._socket, self.path)
