"""Keeps the sockets of young connections, and notes of their data, over a kill.

A slot is a unix socket that is connected to itself, and a piece of memory that is shared by file.
A TCP socket that is sent to it as SCM_RIGHTS (unix(7)) stays open as long as the message is not
received, whatever becomes of the process that has sent it. The supervisor holds the slots and
reads nothing of them; each gateway inherits them, fills and empties them. So nothing that a
gateway does, or its clients, can load or block the supervisor.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
import struct
import termios
from array import array
from contextlib import suppress
from time import monotonic
from typing import Self

from ipc.websocket.resumption import Notes, SocketFacts
from ipc.websocket.young import MAX_SLOTS, SLOT_BYTES

RECEIVED_BYTES = 80 * 1024  # the request head, a whole ``connect``, and a little more
SPARE_BYTES = 32 * 1024  # a slot that was written further gives its memory back

# When it was accepted (CLOCK_MONOTONIC), how often it was taken over, bytes received, bytes sent.
_HEADER = struct.Struct("@dIII")  # native: each number is stored at once
_COUNT = struct.Struct("@I")
_TAKEN_AT, _RECEIVED_AT, _SENT_AT = 8, 12, 16
_DATA_AT = 64
_SENT_DATA_AT = _DATA_AT + RECEIVED_BYTES
_FULL = b"1"

TCP_ESTABLISHED = 1
_BYTES_ACKED_AT = 120  # in struct tcp_info (linux/tcp.h); bytes_received follows it


class Slot:
    """One place for a socket and its notes, which count while the socket is in it."""

    __slots__ = ("_base", "_free", "_memory", "_received", "_sent", "_socket")

    def __init__(
        self, holder: socket.socket, memory: mmap.mmap, base: int, free: list[Slot]
    ) -> None:
        self._socket = holder
        self._free = free
        self._memory = memory
        self._base = base
        self._received = self._sent = 0

    def fill(self, fd: int) -> bool:
        """Store a socket that was just accepted in the slot; return false if that fails.

        Never blocks. Linux bounds how many descriptors one user may have on their way.
        """
        self._received = self._sent = 0
        _HEADER.pack_into(self._memory, self._base, monotonic(), 0, 0, 0)
        try:
            socket.send_fds(self._socket, [_FULL], [fd])
        except OSError:
            return False
        return True

    def peek(self) -> socket.socket | None:
        """Return a copy of the socket in the slot, which keeps it; ``None`` if there is none."""
        try:
            fds = _received_with(self._socket, 1, socket.MSG_PEEK)
        except OSError:
            return None
        if not fds:
            return None
        try:
            sock = socket.socket(fileno=fds[0])
        except OSError:  # no socket at all: nothing of ours puts such a thing there
            os.close(fds[0])
            self._drop()
            return None
        sock.setblocking(False)
        return sock

    def release(self) -> None:
        """Remove the socket, which ends when this process closes it; the slot is free again."""
        self._drop()
        if self._received > SPARE_BYTES or self._sent > SPARE_BYTES:
            with suppress(OSError):
                self._memory.madvise(mmap.MADV_REMOVE, self._base, SLOT_BYTES)
        self._free.append(self)

    def _drop(self) -> None:
        """Receive the message without its descriptors, which the kernel closes then."""
        with suppress(OSError):
            self._socket.recv(len(_FULL), socket.MSG_DONTWAIT)

    def close(self) -> None:
        """Close the slot as it is."""
        self._socket.close()

    @property
    def silent(self) -> bool:
        """True while the client has sent nothing."""
        return not self._received

    def record_received(self, data: bytes) -> bool:
        """Record data from the client; return false if it is too much."""
        end = self._received + len(data)
        if end > RECEIVED_BYTES:
            return False
        start = self._base + _DATA_AT
        self._memory[start + self._received : start + end] = data
        self._received = end
        _COUNT.pack_into(self._memory, self._base + _RECEIVED_AT, end)
        return True

    def record_sent(self, data: bytes) -> bool:
        """Record data that is about to be sent to the client; return false if it is too much."""
        end = self._sent + len(data)
        if end > SLOT_BYTES - _SENT_DATA_AT:
            return False
        start = self._base + _SENT_DATA_AT
        self._memory[start + self._sent : start + end] = data
        self._sent = end
        _COUNT.pack_into(self._memory, self._base + _SENT_AT, end)
        return True

    def take_over(self) -> None:
        """Record that one more process has the connection, and continue after its notes."""
        notes = self.notes()
        self._received, self._sent = len(notes.received), len(notes.sent)
        _COUNT.pack_into(self._memory, self._base + _TAKEN_AT, notes.taken + 1)

    def facts(self, sock: socket.socket) -> SocketFacts:
        """Return the kernel's state of the socket that ``YoungSlots.filled`` has found here."""
        return facts_of(sock)

    @property
    def age(self) -> float:
        """Seconds since the socket was accepted, by whichever process."""
        return monotonic() - float(_HEADER.unpack_from(self._memory, self._base)[0])

    def notes(self) -> Notes:
        """Return the notes of the slot's last process."""
        _, taken, received, sent = _HEADER.unpack_from(self._memory, self._base)
        start, sent_start = self._base + _DATA_AT, self._base + _SENT_DATA_AT
        return Notes(
            received=self._memory[start : start + min(received, RECEIVED_BYTES)],
            sent=self._memory[sent_start : sent_start + min(sent, SLOT_BYTES - _SENT_DATA_AT)],
            age=self.age,
            taken=taken,
        )


class YoungSlots:
    """The slots of one gateway process: free ones, and those that it has inherited filled."""

    def __init__(self, memory: int, holders: list[int]) -> None:
        size = len(holders) * SLOT_BYTES
        self._memory = mmap.mmap(memory, size)
        os.close(memory)
        # The last is taken first, again and again: the others' memory is never touched.
        self._free: list[Slot] = []
        self._all = tuple(
            Slot(socket.socket(fileno=fd), self._memory, index * SLOT_BYTES, self._free)
            for index, fd in enumerate(holders)
        )
        self._free.extend(self._all)

    @classmethod
    def inherit(cls, fd: int) -> Self | None:
        """Receive the slots through the socket ``fd``, and close that.

        ``None`` where they are not to be had: then no connection is kept.
        """
        with socket.socket(fileno=fd) as carrier:
            try:
                fds = _received_with(carrier, MAX_SLOTS + 1, 0)
            except OSError:
                return None
        if not fds:
            return None
        try:
            return cls(fds[0], fds[1:])
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        """Close the slots, filled ones too, as this process has left them."""
        for slot in self._all:
            slot.close()
        self._free.clear()
        self._memory.close()

    def filled(self) -> list[tuple[Slot, socket.socket]]:
        """Return the slots that another process has left filled, with their sockets."""
        found = []
        for slot in list(self._free):
            if (sock := slot.peek()) is not None:
                self._free.remove(slot)
                found.append((slot, sock))
        return found

    def reserve(self, fd: int) -> Slot | None:
        """Reserve a free slot for a socket and return it; ``None`` if the socket is not kept."""
        if not self._free:
            return None
        slot = self._free.pop()
        if slot.fill(fd):
            return slot
        self._free.insert(0, slot)
        return None


def _received_with(sock: socket.socket, most: int, flags: int) -> list[int]:
    """Return the descriptors that come with the next message; raises ``OSError``, never blocks.

    ``socket.recv_fds`` takes flags and does not use them, up to Python 3.11 at least.
    """
    flags |= socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT
    fds = array("i")
    _, control, _, _ = sock.recvmsg(len(_FULL), socket.CMSG_SPACE(most * fds.itemsize), flags)
    for _, _, data in control:
        fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return list(fds)


def facts_of(sock: socket.socket) -> SocketFacts:
    """Return the kernel's state of a TCP socket that no process reads or writes meanwhile."""
    while True:
        before = _queues(sock)
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        if before == _queues(sock):  # else something has come, or was acknowledged, in between
            break
    acknowledged, received = struct.unpack_from("@QQ", info, _BYTES_ACKED_AT)
    unread, unacknowledged = before
    return SocketFacts(
        open=info[0] == TCP_ESTABLISHED,
        read=received - unread,
        written=acknowledged + unacknowledged,
    )


def _queues(sock: socket.socket) -> tuple[int, int]:
    """Return the numbers of bytes not read and not acknowledged (tcp(7))."""
    unread = fcntl.ioctl(sock.fileno(), termios.FIONREAD, bytes(4))
    unacknowledged = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
    return _COUNT.unpack(unread)[0], _COUNT.unpack(unacknowledged)[0]
