"""Decide the exit code, cause and text with which a worker ends after an exception. Pure."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass

from ipc.frames.words import EXIT_CONFIG, EXIT_ERROR, EXIT_NEEDS_LOGIN, EXIT_OK, EXIT_TEMPORARY
from workers.errors import (
    ChannelError,
    Finished,
    LoggedOut,
    Misconfigured,
    NeedsAPerson,
    NeedsLogin,
    Transient,
)

MAX_TEXT = 2_000  # characters of the text: it is shown in a status row


@dataclass(frozen=True, slots=True)
class Ending:
    """How a worker ends: exit code, cause and text. ``cause`` is ``None`` after a stop.

    ``final``: the cause needs a person, and cannot pass by itself.
    """

    code: int
    cause: str | None
    text: str
    final: bool = False


STOPPED = Ending(EXIT_OK, None, "stopped")
RETURNED = Ending(EXIT_ERROR, "returned", "run returned")

# The first that matches wins when several went wrong at once: what needs a person is first.
_MEANINGS: tuple[tuple[type[ChannelError], int, str], ...] = (
    (Misconfigured, EXIT_CONFIG, "misconfigured"),
    (NeedsLogin, EXIT_NEEDS_LOGIN, "needs_login"),
    (LoggedOut, EXIT_OK, "logged_out"),
    (Finished, EXIT_OK, "finished"),
    (Transient, EXIT_TEMPORARY, "transient"),
)


def ending_of(error: BaseException) -> Ending:
    """Return the ending for ``error``; an exception group has that of its gravest member."""
    leaves = list(_leaves(error))
    for kind, code, cause in _MEANINGS:
        for leaf in leaves:
            if isinstance(leaf, kind):
                text = _on_one_line(str(leaf)) or cause.replace("_", " ")
                final = isinstance(leaf, NeedsAPerson) and leaf.final
                return Ending(code, cause, text, final)
    return Ending(EXIT_ERROR, "failed", last_line(leaves[0]))


def last_line(error: BaseException) -> str:
    """Return the end of the traceback on one line, such as ``ValueError: no such room``."""
    told = traceback.TracebackException(type(error), error, None)
    told.__notes__ = []  # they would come last
    *_, last = told.format_exception_only()
    return _on_one_line(last)


def _on_one_line(text: str) -> str:
    return " ".join(text.split())[:MAX_TEXT]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
