"""Breaks sentences into the lines of a terminal; commands in them stay whole: people copy them."""

from __future__ import annotations

import re
import shutil
import sys
from typing import TextIO

from ops.output.tables import cells_of

QUOTED = re.compile(r"`[^`]*`")  # a command in a sentence
_GLUE = "\N{NO-BREAK SPACE}"
_WORD = re.compile(r" *[^ ]+")
_NARROWEST = 40


def filled(
    begin: str, text: str, whole: re.Pattern[str] = QUOTED, stream: TextIO | None = None
) -> str:
    """Return ``begin`` and ``text``; on a terminal further lines begin below the text.

    What matches ``whole`` is not broken. Where the ``stream`` (standard output) is no terminal, it
    is one line, for programs.
    """
    if not (stream or sys.stdout).isatty():
        return f"{begin}{text}"
    width = max(shutil.get_terminal_size().columns, _NARROWEST)
    first, *words = _WORD.findall(whole.sub(_glued, text)) or [""]
    lines = [begin + first]
    for word in words:
        if cells_of(lines[-1] + word) <= width:
            lines[-1] += word
        else:
            lines.append(" " * cells_of(begin) + word.lstrip(" "))
    return "\n".join(lines).replace(_GLUE, " ")


def _glued(found: re.Match[str]) -> str:
    return found.group().replace(" ", _GLUE)
