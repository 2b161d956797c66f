"""Reads the tree of commands: their arguments, options and help.

The manual page, the command reference and shell completion are made from it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple

import typer

from ops.cli.main import Commands, app


class OptionInfo(NamedTuple):
    """An option: its names, its value (empty if it takes none), and its help."""

    names: tuple[str, ...]
    takes: str
    help: str


class CommandInfo(NamedTuple):
    """A command or a group of commands; ``path`` is its words without ``trunkline``."""

    path: tuple[str, ...]
    help: str
    arguments: tuple[tuple[str, str], ...]
    options: tuple[OptionInfo, ...]
    children: tuple[str, ...]

    @property
    def usage(self) -> str:
        """The usage line."""
        parts = [*self.path, *(["COMMAND"] if self.children else [])]
        parts += ["[OPTION…]"] if self.options else []
        return " ".join(["trunkline", *parts, *(name for name, _ in self.arguments)])

    @property
    def takes_accounts(self) -> bool:
        """Whether one of its arguments is the key of an account."""
        return any(about.startswith("Account") for _, about in self.arguments)

    @property
    def takes_agents(self) -> bool:
        """Whether one of its arguments is the id of an agent."""
        return any(about.startswith("Agent") for _, about in self.arguments)


def root_options() -> tuple[OptionInfo, ...]:
    """Return the options that come before a command."""
    return _options(typer.main.get_command(app))


def commands() -> Iterator[CommandInfo]:
    """Yield every command, each group before what is in it, in the order of the help."""
    root: Any = typer.main.get_command(app)
    for name, (_, summary) in Commands.table.items():
        command = root.get_command(None, name)
        children = getattr(command, "commands", {})
        if not children:
            yield _info((name,), command, summary)
            continue
        yield CommandInfo((name,), summary, (), (), tuple(children))
        for each, child in children.items():
            yield _info((name, each), child, "")


def _info(path: tuple[str, ...], command: Any, summary: str) -> CommandInfo:
    about = inspect.cleandoc(command.help or summary)
    arguments = tuple(
        (param.metavar or param.name.upper(), _help(param))
        for param in command.params
        if param.param_type_name == "argument"
    )
    return CommandInfo(path, about, arguments, _options(command), ())


def _options(command: Any) -> tuple[OptionInfo, ...]:
    return tuple(
        OptionInfo((*param.opts, *param.secondary_opts), _takes(param), _help(param))
        for param in command.params
        if param.param_type_name == "option" and not param.hidden
    )


def _takes(param: Any) -> str:
    if param.is_flag:
        return ""
    return str(param.metavar or param.name.upper().replace("_", "-"))


def _help(param: Any) -> str:
    return " ".join((getattr(param, "help", None) or "").split())
