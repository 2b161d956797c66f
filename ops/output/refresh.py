"""Repeats an output every few seconds, in place on a terminal."""

from __future__ import annotations

import io
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout, suppress

from ops.exits import OperatorError
from ops.output.text import clean, clock

EVERY = 2.0  # seconds


def show_repeatedly(show: Callable[[], None]) -> None:
    """Call ``show`` every ``EVERY`` seconds until Ctrl-C.

    On a terminal each output replaces the last one, cut to the terminal's height; a failure is also
    shown in place, because the daemon may come back. Elsewhere outputs follow one another, and a
    failure ends it.
    """
    with suppress(KeyboardInterrupt):
        while True:
            if sys.stdout.isatty():
                _draw(_page(show))
            else:
                show()
                print(flush=True)
            time.sleep(EVERY)


class _Page(io.StringIO):
    """A text buffer that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def _page(show: Callable[[], None]) -> list[str]:
    page = _Page()
    with redirect_stdout(page):
        try:
            show()
        except OperatorError as error:
            print(clean(str(error)))
    return page.getvalue().splitlines()


def _draw(lines: list[str]) -> None:
    height = shutil.get_terminal_size().lines
    room = max(1, height - 2)
    hidden = len(lines) - room
    if hidden > 0:
        lines = [*lines[: room - 1], f"… {hidden + 1} more lines"]
    at = f"{clock(time.time() * 1000)[:8]}  every {EVERY:g} s, Ctrl-C ends"
    # each line is written over the old one and what is left of that erased: nothing flickers
    text = "".join(f"{line}\x1b[K\n" for line in [*lines, at])
    sys.stdout.write(f"\x1b[H{text}\x1b[J")
    sys.stdout.flush()
