"""Defines the command ``trunkline up``, which runs the daemon.

Imports nothing of the daemon before the command line is understood: the supervisor starts
its zygote first and imports the rest beside it.
"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from ops.commands.options import command_app
from ops.connect.target import RuntimeTarget

app = command_app()


@app.command()
def up(
    context: typer.Context,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=1,
            max=65535,
            help="The gateway's port (TRUNKLINE_GATEWAY_PORT); else that of the file, or 18789.",
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Show the supervisor's log here.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing.")] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="End a program that holds the port, except another Trunkline."
        ),
    ] = False,
    detach: Annotated[
        bool,
        typer.Option(
            "-d", "--detach", help="Run in the background; return when the gateway answers."
        ),
    ] = False,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.001, help="How long to wait with --detach.")
    ] = 30.0,
) -> int:
    """Run the daemon in the foreground; Ctrl-C ends it, a second Ctrl-C at once.

    Writes a first configuration where there is none.

    Examples:
        trunkline up
        trunkline up --detach
    """
    from ops.connect.identity import own_version
    from ops.connect.places import flags_of
    from runtime.supervisor.main import up as run
    from runtime.supervisor.options import Options
    from runtime.supervisor.process_setup import drop_unwritten

    options = Options(
        flags=flags_of(RuntimeTarget(context.find_root().params), port=port),
        version=own_version,
        force=force,
        verbose=verbose,
        quiet=quiet,
    )
    if not detach:
        code = run(options, os.environ)
        drop_unwritten()  # "up" could not be printed: no failure of the daemon
        return code
    from ops.actions.detach import start_detached

    return start_detached(options, timeout)
