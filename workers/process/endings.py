"""Decides the exit code, cause and text with which a worker ends after an exception. Pure."""

from __future__ import annotations

import traceback

import msgspec

from ipc.connection_errors import failure_text, is_connection_failure
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
from workers.process.explanations import Explain, is_network_error, members, unexplained

MAX_TEXT = 2_000  # characters of the text: it is shown in a status row


class Ending(msgspec.Struct, frozen=True):
    """How a worker ends: exit code, cause and text; ``cause`` is ``None`` after a stop.

    ``final``: the cause needs a person and cannot pass by itself. ``retry_after``: the seconds that
    the platform asked to wait before the next try.
    """

    code: int
    cause: str | None
    text: str
    final: bool = False
    retry_after: float | None = None


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


def ending_of(error: BaseException, explain: Explain = unexplained) -> Ending:
    """Return the ending for ``error``; for an exception group, that of its most severe member.

    ``explain`` is called for each member that is not a ``ChannelError``. A bug is more severe than
    a network error beside it, which would otherwise hide it.
    """
    leaves = members(error, explain)
    for kind, code, cause in _MEANINGS:
        for leaf in leaves:
            if isinstance(leaf, kind):
                text = _on_one_line(str(leaf)) or cause.replace("_", " ")
                final = isinstance(leaf, NeedsAPerson) and leaf.final
                return Ending(code, cause, text, final, _longest_wait(leaves, cause))
    for leaf in leaves:
        if not is_network_error(leaf):
            return Ending(EXIT_ERROR, "failed", last_line(leaf))
    return Ending(EXIT_TEMPORARY, "transient", _of_network(leaves[0]))


def _longest_wait(leaves: list[BaseException], cause: str) -> float | None:
    if cause != "transient":
        return None
    waits = [leaf.retry_after for leaf in leaves if isinstance(leaf, Transient)]
    return max((wait for wait in waits if wait is not None), default=None)


def _of_network(error: BaseException) -> str:
    if is_connection_failure(error):
        return _on_one_line(failure_text(error))
    return last_line(error)


def last_line(error: BaseException) -> str:
    """Return the last line of the traceback, such as ``ValueError: no such room``."""
    summary = traceback.TracebackException(type(error), error, None)
    summary.__notes__ = []  # they would come last
    *_, last = summary.format_exception_only()
    return _on_one_line(last)


def _on_one_line(text: str) -> str:
    return " ".join(text.split())[:MAX_TEXT]
