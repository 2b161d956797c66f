"""Defines the commands ``trunkline import …``: import other programs' configurations."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ops.commands.option_groups import LocalOptions, command
from ops.commands.options import command_app

app = command_app("Translate the configuration of another program.")


@app.callback()
def importing() -> None:
    """Translate the configuration of another program."""


@command(app)
def openclaw(
    *,
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATH]", help="OpenClaw's file; without it ~/.openclaw/openclaw.json."
        ),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write the result to a new file.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --write: replace an existing file.")
    ] = False,
    options: LocalOptions,
) -> None:
    """Show how an openclaw.json is translated: what is taken over, changed and left out.

    Nothing is written without --write, and OpenClaw's own files stay as they are.

    Examples:
        trunkline import openclaw
        trunkline import openclaw /srv/openclaw/openclaw.json --write
    """
    from ops.actions.import_openclaw import default_source, import_openclaw, write_imported
    from ops.connect.places import places_of
    from ops.exits import ExitCode, OperatorError, UsageFailure
    from ops.output.imported import document, show_imported
    from ops.output.show import show_json

    if force and not write:
        raise UsageFailure("--force has no effect without --write")
    source = Path(path).expanduser() if path is not None else default_source(os.environ)
    if path is None and not source.exists():
        raise OperatorError(
            f"there is no {source}; `trunkline import openclaw PATH` reads another file",
            ExitCode.CONFIGURATION,
        )
    made = import_openclaw(source, places_of(options.target), os.environ)
    if write:
        write_imported(made, force=force)
    if options.json:
        show_json(document(made, written=write))
    else:
        show_imported(made, written=write)
