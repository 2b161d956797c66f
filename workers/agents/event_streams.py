"""Splits a stream of server-sent events into their data, within limits of size. Pure.

After https://html.spec.whatwg.org/multipage/server-sent-events.html, for streams of JSON: lines end
with LF or CRLF, names and ids of events are ignored, and so is an event without an end.
"""

from __future__ import annotations

from workers.agents.answers import MAX_EVENT, BrokenAnswer

DONE = b"[DONE]"  # what ends a stream of OpenAI's API, and is no JSON
_BOM = b"\xef\xbb\xbf"


class LineSplitter:
    """Splits bytes into lines without line ends; raises ``BrokenAnswer`` for too long a line."""

    def __init__(self, longest: int = MAX_EVENT) -> None:
        self._longest = longest
        self._rest = bytearray()

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the lines that this piece completes."""
        *whole, rest = piece.split(b"\n")
        if not whole:
            self._rest += rest
            found = []
        else:
            whole[0] = bytes(self._rest) + whole[0]
            self._rest[:] = rest
            found = whole
        if len(self._rest) > self._longest or any(len(line) > self._longest for line in found):
            raise BrokenAnswer(f"a line is longer than {self._longest} bytes")
        return [line.removesuffix(b"\r") for line in found]

    def end(self) -> bytes:
        """Return the bytes after the last line end."""
        return bytes(self._rest)


class EventSplitter:
    """Splits the bytes of a stream into the data of its events."""

    def __init__(self) -> None:
        self._lines = LineSplitter()
        self._data: list[bytes] = []
        self._size = 0
        self._begun = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of the events that this piece completes."""
        found = []
        for line in self._lines.feed(piece):
            if not self._begun:
                self._begun, line = True, line.removeprefix(_BOM)
            if not line and self._data:
                found.append(b"\n".join(self._data))
                self._data, self._size = [], 0
            elif line.startswith(b"data:"):
                self._add(line[5:].removeprefix(b" "))
        return found

    def _add(self, data: bytes) -> None:
        self._size += len(data) + 1
        if self._size > MAX_EVENT:
            raise BrokenAnswer(f"an event is longer than {MAX_EVENT} bytes")
        self._data.append(data)
