"""Reads the tree of commands: their arguments, options and help.

The manual page, the command reference and shell completion are made from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from ops.cli.command_info import CommandInfo, OptionInfo, info_of
from ops.cli.main import Commands, app


def root_options() -> tuple[OptionInfo, ...]:
    """Return the options that come before a command."""
    return info_of((), typer.main.get_command(app)).options


def commands() -> Iterator[CommandInfo]:
    """Yield every command, each group before what is in it, in the order of the help."""
    root: Any = typer.main.get_command(app)
    for name in Commands.table:
        command = root.get_command(None, name)
        children = getattr(command, "commands", {})
        yield info_of((name,), command, tuple(children))
        for each, child in children.items():
            yield info_of((name, each), child)
