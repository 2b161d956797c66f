"""Keeps a child supervised whatever goes wrong in the supervision itself.

A mistake in the code around one child, or an error of the system that nobody thought of, must
not end the supervisor and with it all siblings: it costs that child a failure.
"""

from __future__ import annotations

from collections.abc import Awaitable

import structlog

from runtime.supervisor.child import Child
from runtime.supervisor.lifecycle import Exit, Exited

log = structlog.get_logger("supervisor")


async def keep(child: Child) -> None:
    """Run ``child`` until cancelled. What it raises is logged, and it is tried again."""
    while True:
        try:
            await child.run()
        except Exception as error:  # its process, if there was one, has been killed
            log.exception("supervision failed", child=child.name)
            text = f"supervision failed: {_innermost(error)}"
            child.post(Exited(child.state.incarnation, Exit(text=text)))


async def spare(name: str, work: Awaitable[object]) -> None:
    """Do work that others can do without: what it raises is logged, and ends only itself."""
    try:
        await work
    except Exception:
        log.exception("given up", what=name)


def _innermost(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
