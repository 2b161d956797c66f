"""Shows the progress of a wait on one line of a terminal, which is erased at the end."""

from __future__ import annotations

import sys
import time
from typing import Self, TextIO

from ops.output.text import duration

FEW = 2  # of so few accounts a person sees no more than the outcome
EVERY = 0.1  # seconds between two lines, so that 500 events cost no 500 writes


class ProgressLine:
    """Shows ``37/200 running, 4.1 s``. Writes nothing unless the stream is a terminal.

    ``word`` is the state that accounts should reach. Leaving the block erases the line; if all
    have reached it a summary line stays.
    """

    def __init__(self, word: str, stream: TextIO | None = None) -> None:
        self._word = word
        self._stream = stream or sys.stderr
        self._begin = time.monotonic()
        self._shown_at = 0.0
        self._drawn = False
        self._last = (0, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        there, wanted = self._last
        if self._drawn:
            self._stream.write("\r\x1b[K")
        if kind is None and self._shows(wanted) and there == wanted:
            self._stream.write(f"{wanted} {self._word} after {self._elapsed()}\n")
        self._stream.flush()

    def show(self, there: int, wanted: int) -> None:
        """Show that ``there`` of the ``wanted`` accounts have reached the state."""
        self._last = (there, wanted)
        now = time.monotonic()
        if not self._shows(wanted) or (self._drawn and now - self._shown_at < EVERY):
            return
        self._shown_at, self._drawn = now, True
        self._stream.write(f"\r{there}/{wanted} {self._word}, {self._elapsed()}\x1b[K")
        self._stream.flush()

    def _shows(self, wanted: int) -> bool:
        return wanted > FEW and self._stream.isatty()

    def _elapsed(self) -> str:
        return duration(time.monotonic() - self._begin)
