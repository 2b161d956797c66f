"""Decides whether a young connection of a killed process is dropped, finished or resumed. Pure.

The kernel says how many bytes that process has read from the socket and written to it; its notes
say which. A connection is resumed only where both agree to the byte.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ipc.hidden_fields import hide_fields

MAX_SECONDS = 60.0  # since it was accepted: then its client has given up, or is not a short one
MAX_TAKEN = 3  # times: what it asks may be what the process died of

RESUMED, FINISHED = "resumed", "finished"
GONE = "gone"  # its client has ended, or is about to
OLD = "old"
TAKEN_OFTEN = "takenOften"
UNNOTED = "unnoted"  # the process was killed between a system call and its note
OUTCOMES = (RESUMED, FINISHED, GONE, OLD, TAKEN_OFTEN, UNNOTED)

_SWITCHING = b"HTTP/1.1 101 "
_HEAD_END = b"\r\n\r\n"
_CLOSE = 8  # opcode; those from here on are of control frames
_FIN, _OPCODE, _MASKED, _LENGTH = 0x80, 0x0F, 0x80, 0x7F


class SocketFacts(msgspec.Struct, frozen=True):
    """The kernel's state of a socket: ``open`` in both directions, bytes read and written."""

    open: bool
    read: int
    written: int


@hide_fields("received", "sent")
class Notes(msgspec.Struct, frozen=True):
    """The notes about a connection: ``age`` in seconds, ``taken`` over so many times."""

    received: bytes
    sent: bytes
    age: float
    taken: int


class Drop(msgspec.Struct, frozen=True):
    """Close the connection; the client sees a cut. ``reason`` is one of ``OUTCOMES``."""

    reason: str


@hide_fields("rest")
class Finish(msgspec.Struct, frozen=True):
    """Send the ``rest``, then close the connection: everything was answered."""

    rest: bytes


@hide_fields("rest", "received", "said")
class Resume(msgspec.Struct, frozen=True):
    """Send the ``rest`` and process ``received`` again, without sending anything twice.

    ``upgraded``: it is a WebSocket already. ``said`` are the messages that were sent on it,
    ``messages`` how many whole ones have come.
    """

    rest: bytes
    received: bytes
    upgraded: bool
    said: tuple[bytes, ...]
    messages: int


Resumption = Drop | Finish | Resume


@hide_fields("payload")
class _WireFrame(msgspec.Struct, frozen=True):
    final: bool
    opcode: int
    payload: bytes  # masked as it came


def decide(facts: SocketFacts, notes: Notes) -> Resumption:
    """Return the decision about a connection."""
    if not facts.open:
        return Drop(GONE)
    if notes.age > MAX_SECONDS:
        return Drop(OLD)
    if notes.taken >= MAX_TAKEN:
        return Drop(TAKEN_OFTEN)
    if facts.read != len(notes.received) or facts.written > len(notes.sent):
        return Drop(UNNOTED)
    rest = notes.sent[facts.written :]
    upgraded = notes.sent.startswith(_SWITCHING)
    if notes.sent and not upgraded:  # HTTP is kept until its request head has come, no longer
        return Finish(rest)
    said = list(_frames(_after_head(notes.sent)))
    asked = list(_frames(_after_head(notes.received)))
    if any(frame.opcode == _CLOSE for frame in said):
        return Finish(rest)
    if any(frame.opcode == _CLOSE for frame in asked):
        return Drop(GONE)
    texts = tuple(frame.payload for frame in said if frame.opcode < _CLOSE)
    messages = sum(frame.final and frame.opcode < _CLOSE for frame in asked)
    return Resume(rest, notes.received, upgraded, texts, messages)


def head_of(data: bytes) -> bytes:
    """Return the head of a request or response with its empty line; everything if incomplete."""
    before, end, _ = data.partition(_HEAD_END)
    return before + end


def _after_head(data: bytes) -> bytes:
    """Return the bytes after the head of a request or response; empty if it is incomplete."""
    return data[len(head_of(data)) :]


def _frames(data: bytes) -> Iterator[_WireFrame]:
    """Yield the whole frames at the beginning of ``data`` (RFC 6455 section 5.2)."""
    position = 0
    while len(data) - position >= 2:
        first, second = data[position], data[position + 1]
        start, length = position + 2, second & _LENGTH
        if length > 125:
            size = 2 if length == 126 else 8
            length = int.from_bytes(data[start : start + size], "big")
            start += size
        if second & _MASKED:
            start += 4
        if start > len(data) or start + length > len(data):
            return
        yield _WireFrame(bool(first & _FIN), first & _OPCODE, data[start : start + length])
        position = start + length
