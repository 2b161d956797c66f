"""Command groups that import a command only when it runs.

``trunkline --help`` has to answer at once, so the names and one-line summaries live in a
table here in the front, and the modules with their imports behind it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer
from typer.core import TyperGroup

from ops.cli.conversion import convert_plainly

if TYPE_CHECKING:
    from typer._click import Command, HelpFormatter
    from typer._click import Context as ClickContext
    from typer._click.core import Parameter

Table = Mapping[str, tuple[str, str]]  # command -> (module, summary)


class LazyGroup(TyperGroup):
    """A group whose commands are modules with a typer app named ``app``."""

    table: ClassVar[Table] = {}

    def list_commands(self, ctx: ClickContext) -> list[str]:
        """Return the names in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: ClickContext, cmd_name: str) -> Command | None:
        """Import the command's module and return what it defines."""
        if cmd_name not in self.table:
            return None
        module = importlib.import_module(self.table[cmd_name][0])
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        _complete(command)
        return command

    def format_commands(self, ctx: ClickContext, formatter: HelpFormatter) -> None:
        """Write the summaries without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self.table.items()])

    def resolve_command(self, ctx: ClickContext, args: list[str]) -> Any:
        """Find the command; where there is none, name those that are near."""
        known: Any = dict.fromkeys(self.table)  # names only: all that a suggestion needs
        self.commands = known
        return super().resolve_command(ctx, args)


def _complete(command: Command) -> None:
    """Let ``--profile`` and its kin stand after a command as well as before it."""
    if isinstance(command, TyperGroup):
        for child in command.commands.values():
            _complete(child)
        return
    taken = {name for param in command.params for name in param.opts}
    command.params += [param for param in _places() if not taken.intersection(param.opts)]
    convert_plainly(command)


@lru_cache(maxsize=1)
def _places() -> list[Parameter]:
    """Return the options that say which state to use, made by typer from their signature."""
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
