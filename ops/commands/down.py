"""``trunkline down``: end the daemon and wait until it is gone."""

from __future__ import annotations

import os
import select
from typing import Annotated, Any

import typer

from ops.commands.options import command_app
from ops.connect.target import here
from ops.exits import Exit, OperatorError

app = command_app()


@app.command()
def down(
    context: typer.Context,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait.")] = 15.0,
) -> None:
    """Stop the daemon and wait until it is gone."""
    from ops.connect import supervisor as clients

    pid, fd = clients.run(_ask(here(context)))
    try:
        # readable when the process has ended, which is after everything of its own has
        if not select.select([fd], [], [], timeout)[0]:
            raise OperatorError(
                f"the supervisor (pid {pid}) is still ending after {timeout:g} s", Exit.TIMEOUT
            )
    finally:
        os.close(fd)
    print(f"stopped (pid {pid})")


async def _ask(places: Any) -> tuple[int, int]:
    from ops.connect import supervisor as clients

    async with clients.supervisor(places) as client:
        pid: int = (await client.call("version", {}))["pid"]
        fd = os.pidfd_open(pid)  # before it is asked to end: the number could be reused
        try:
            await client.call("shutdown", {})
        except BaseException:
            os.close(fd)
            raise
        return pid, fd
