"""Stops the daemon and waits until its process is gone."""

from __future__ import annotations

import asyncio
import os
import select

from ops.connect.places import places_of
from ops.connect.supervisor import connected_supervisor
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError
from runtime.config.places import Places


def stop_daemon(target: RuntimeTarget, timeout: float) -> int:
    """Stop the daemon that ``target`` means; return the pid that it had.

    Raises ``OperatorError``: exit 3 without a daemon, 4 when it still runs after ``timeout``
    seconds.
    """
    pid, fd = asyncio.run(_request_shutdown(places_of(target)))
    try:
        # readable when the process has ended, which is after everything of its own has
        if not select.select([fd], [], [], timeout)[0]:
            raise OperatorError(
                f"the supervisor (pid {pid}) is still ending after {timeout:g} s:"
                f" `trunkline down --timeout 60` waits longer, kill -9 {pid} ends all of it",
                ExitCode.TIMEOUT,
            )
    finally:
        os.close(fd)
    return pid


async def _request_shutdown(places: Places) -> tuple[int, int]:
    """Ask the supervisor to end; return its pid and a pidfd of it."""
    async with connected_supervisor(places) as client:
        pid: int = (await client.call("version", {}))["pid"]
        fd = os.pidfd_open(pid)  # before it is asked to end: the number could be reused
        try:
            await client.call("shutdown", {})
        except BaseException:
            os.close(fd)
            raise
        return pid, fd
