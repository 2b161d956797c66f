"""Describes a command: its usage, arguments, options and help.

The help, the manual page, the command reference and shell completion are made from it.
"""

from __future__ import annotations

import inspect
import textwrap
from typing import Any, NamedTuple

EXAMPLES = "Examples:"  # the first line of the paragraph of a docstring that has command lines

UNNAMED = "VALUE"  # what an option takes that has no name for it


class OptionInfo(NamedTuple):
    """An option: its names, its value (empty if it takes none), and its help with its default."""

    names: tuple[str, ...]
    takes: str
    help: str

    @property
    def usage(self) -> str:
        """The names, the short one first, and the value."""
        return f"{', '.join(self.names)} {self.takes}".rstrip()


class CommandInfo(NamedTuple):
    """A command or a group of commands; ``path`` is its words without ``trunkline``.

    ``help`` has a line for each paragraph, ``examples`` one for each command line, ``children`` the
    names of a group's commands.
    """

    path: tuple[str, ...]
    help: tuple[str, ...]
    examples: tuple[str, ...]
    arguments: tuple[tuple[str, str], ...]
    options: tuple[OptionInfo, ...]
    children: tuple[str, ...]

    @property
    def usage(self) -> str:
        """The usage line."""
        parts = ["trunkline", *self.path]
        if self.children:
            parts += ["COMMAND"] if self.path else ["[OPTION…]", "COMMAND", "[ARGUMENT…]"]
        elif self.options:
            parts.append("[OPTION…]")
        return " ".join([*parts, *(name for name, _ in self.arguments)])

    @property
    def takes_accounts(self) -> bool:
        """Whether one of its arguments is the key of an account."""
        return any(about.startswith("Account") for _, about in self.arguments)

    @property
    def takes_agents(self) -> bool:
        """Whether one of its arguments is the id of an agent."""
        return any(about.startswith("Agent") for _, about in self.arguments)


def info_of(path: tuple[str, ...], command: Any, children: tuple[str, ...] = ()) -> CommandInfo:
    """Return the description of a command as typer has made it."""
    text, _, examples = inspect.cleandoc(command.help or "").partition(f"{EXAMPLES}\n")
    arguments = tuple(
        (param.metavar or param.name.upper(), _help(param))
        for param in command.params
        if param.param_type_name == "argument"
    )
    return CommandInfo(
        path,
        tuple(" ".join(each.split()) for each in text.split("\n\n") if each.strip()),
        tuple(textwrap.dedent(examples).strip().splitlines()),
        arguments,
        tuple(_options(command)),
        children,
    )


def _options(command: Any) -> list[OptionInfo]:
    return [
        OptionInfo(
            tuple(sorted([*param.opts, *param.secondary_opts], key=_is_long)),
            "" if param.is_flag else param.metavar or UNNAMED,
            " ".join([_help(param), *_notes(param)]),
        )
        for param in command.params
        if param.param_type_name == "option" and not param.hidden
    ]


def _is_long(name: str) -> bool:
    return name.startswith("--")


def _notes(param: Any) -> list[str]:
    """Return what else is to be known of an option: a default, or that there is none."""
    if param.required:
        return ["[required]"]
    default = getattr(param, "default", None)
    if param.is_flag or default in (None, ""):
        return []
    return [f"[default: {default:g}]" if isinstance(default, float) else f"[default: {default}]"]


def _help(param: Any) -> str:
    return " ".join((getattr(param, "help", None) or "").split())
