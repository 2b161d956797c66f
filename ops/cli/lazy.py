"""Loads the module of a command only when that command runs.

``trunkline --help`` has to answer at once, so it prints names and one-line summaries from a
table; the modules with their imports come after it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer
from typer.core import TyperGroup

from ops.cli.conversion import convert_plainly

if TYPE_CHECKING:  # private names of typer: a version without them runs all the same
    from typer._click import Command, HelpFormatter
    from typer._click import Context as ClickContext
    from typer._click.core import Parameter

# command -> (where it is defined, summary). A module name stands for a family of commands,
# "module:name" for one command of a module that defines several.
Table = Mapping[str, tuple[str, str]]


class LazyGroup(TyperGroup):
    """A command group whose commands come from modules, each with a typer app named ``app``."""

    table: ClassVar[Table] = {}

    def list_commands(self, ctx: ClickContext) -> list[str]:
        """Return the names in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: ClickContext, cmd_name: str) -> Command | None:
        """Import the command's module and return the command; ``None`` for an unknown name."""
        if cmd_name not in self.table:
            return None
        module, _, name = self.table[cmd_name][0].partition(":")
        command: Command = typer.main.get_command(importlib.import_module(module).app)
        if name and isinstance(command, TyperGroup):
            command = command.commands[name]
        command.name = cmd_name
        _accept_places(command)
        return command

    def format_commands(self, ctx: ClickContext, formatter: HelpFormatter) -> None:
        """Write the names and summaries without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self.table.items()])

    def resolve_command(self, ctx: ClickContext, args: list[str]) -> Any:
        """Return the command; the error for an unknown name suggests similar names."""
        known: Any = dict.fromkeys(self.table)  # names only: all that a suggestion needs
        self.commands = known
        return super().resolve_command(ctx, args)


def _accept_places(command: Command) -> None:
    """Accept ``--profile``, ``--dev``, ``--state-dir`` and ``--config`` after a command too."""
    convert_plainly(command)  # a group has an option, too: its help
    if isinstance(command, TyperGroup):
        for child in command.commands.values():
            _accept_places(child)
        return
    taken = {name for param in command.params for name in param.opts}
    command.params += [param for param in _places() if not taken.intersection(param.opts)]


@lru_cache(maxsize=1)
def _places() -> list[Parameter]:
    """Return the options that name a runtime of this host, made by typer from a signature."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)

    @app.command(add_help_option=False)
    def places(
        profile: Annotated[str | None, _place()] = None,
        dev: Annotated[bool, _place("--dev")] = False,
        state_dir: Annotated[str | None, _place()] = None,
        config: Annotated[str | None, _place()] = None,
    ) -> None: ...

    return list(typer.main.get_command(app).params)


def _place(*names: str) -> Any:
    return typer.Option(*names, hidden=True, expose_value=False, callback=_remember)


def _remember(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
    if value:
        ctx.find_root().params[str(param.name)] = value
    return value
