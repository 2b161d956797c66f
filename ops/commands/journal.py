"""Defines ``trunkline backup`` and ``trunkline restore``: copy and restore the journal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ops.commands.option_groups import LocalOptions, command
from ops.commands.options import command_app
from ops.output.show import show_json

app = command_app()


@command(app)
def backup(
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="FILE",
            help="File to write; else one named by its date, in backup/ of the state directory.",
        ),
    ] = None,
    options: LocalOptions,
) -> None:
    """Copy the journal, whether the daemon runs or not, and print where the copy is.

    The journal is the database of messages, conversations and decisions about people.

    Examples:
        trunkline backup
        trunkline backup --to /mnt/backup/trunkline.db
    """
    from ops.actions.journal import copy_journal

    made = copy_journal(options.target, Path(to) if to is not None else None)
    if options.json:
        show_json({"path": str(made.path), "bytes": made.bytes})
    else:
        print(f"copied to {made.path} ({made.bytes} bytes)")


@command(app)
def restore(
    *,
    copy: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A copy of the journal, made by `trunkline backup`."),
    ],
    options: LocalOptions,
) -> None:
    """Replace the journal by a copy; the daemon must be down. The replaced journal is kept.

    Examples:
        trunkline restore /mnt/backup/trunkline.db
    """
    from ops.actions.journal import restore_journal

    aside = restore_journal(options.target, Path(copy))
    if options.json:
        show_json({"restored": copy, "replaced": str(aside) if aside else None})
        return
    print(f"restored {copy}")
    if aside is not None:
        print(f"the previous journal is now {aside}")
