"""Loads the module of a command only when that command runs.

``trunkline --help`` has to answer at once, so it prints names and one-line summaries from a
table; the modules with their imports come after it.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer
from typer.core import TyperGroup

from ops.cli.command_info import info_of
from ops.cli.conversion import convert_plainly
from ops.cli.help_text import help_text
from ops.output.commands import remember_command

if TYPE_CHECKING:  # private names of typer: a version without them runs all the same
    from typer._click import Command
    from typer._click import Context as ClickContext
    from typer._click.core import Parameter

# command -> (where it is defined, summary). A module name stands for a family of commands,
# "module:name" for one command of a module that defines several.
Table = Mapping[str, tuple[str, str]]


class LazyGroup(TyperGroup):
    """A command group whose commands come from modules, each with a typer app named ``app``."""

    table: ClassVar[Table] = {}
    headings: ClassVar[Mapping[str, str]] = {}  # of the part of the help that a command begins

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
        _explain(command)
        _remember_typed(command)
        return command

    def get_help(self, ctx: ClickContext) -> str:
        """Return the help, with the names and summaries of the table: no command is imported."""
        parts: dict[str, list[tuple[str, str]]] = {}
        for name, (_, summary) in self.table.items():
            if name in self.headings or not parts:
                rows = parts[self.headings.get(name, "Commands")] = []
            rows.append((name, summary))
        return help_text(info_of((), self, tuple(self.table)), parts, _columns())

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


def _explain(command: Any) -> None:
    """Make the help of a command, and of those in a group, that of ``help_text``."""
    children = getattr(command, "commands", {})
    command.get_help = partial(_help, command)
    for child in children.values():
        _explain(child)


def _help(command: Any, context: ClickContext) -> str:
    path = tuple(context.command_path.split()[1:])
    children = getattr(command, "commands", {})
    rows = [(name, info_of((), child).help[0]) for name, child in children.items()]
    return help_text(info_of(path, command, tuple(children)), {"Commands": rows}, _columns())


def _remember_typed(command: Any) -> None:
    """Have a command, and those in a group, remember what was typed: a failure depends on it."""
    command.invoke = partial(_invoke, command.invoke)
    for child in getattr(command, "commands", {}).values():
        _remember_typed(child)


def _invoke(invoke: Any, context: ClickContext) -> Any:
    remember_command(context.command_path.removeprefix("trunkline").strip(), context.params)
    return invoke(context)


def _columns() -> int:
    return shutil.get_terminal_size().columns


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
