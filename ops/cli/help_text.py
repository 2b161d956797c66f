"""Formats the help of a command, as its ``--help`` prints it. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from ops.cli.command_info import CommandInfo, OptionInfo

Rows = Sequence[tuple[str, str]]
HELP = OptionInfo(("-h", "--help"), "", "Show this help and exit.")
_WIDEST = 100  # columns that are still easy to read
_NARROWEST = 40
_MARGIN = "  "
_NAMES = 28  # columns up to which the names of options stand beside their help


def help_text(command: CommandInfo, parts: Mapping[str, Rows], columns: int) -> str:
    """Return the help of a command; ``parts`` are the commands of a group, by their headings."""
    width = max(_NARROWEST, min(columns, _WIDEST)) - 1
    lines = [f"Usage: {command.usage}"]
    for paragraph in command.help:
        lines += ["", *_wrapped(paragraph, width)]
    options = [(each.usage, each.help) for each in (*command.options, HELP)]
    for heading, rows in {"Arguments": command.arguments, "Options": options, **parts}.items():
        if rows:
            lines += ["", f"{heading}:", *_listed(rows, width)]
    if command.examples:
        lines += ["", "Examples:", *(_MARGIN + each for each in command.examples)]
    return "\n".join(lines)


def _listed(rows: Rows, width: int) -> Iterator[str]:
    """Yield lines with names at the left and their meanings, in a column of their own, beside."""
    room = max((len(name) for name, _ in rows if len(name) <= _NAMES), default=0)
    beside = " " * (len(_MARGIN) + room + 2)
    for name, meaning in rows:
        lines = _wrapped(meaning, max(width - len(beside), _NARROWEST // 2), "") or [""]
        head = f"{_MARGIN}{name}"
        if len(name) > room:
            yield head
        else:
            yield (head.ljust(len(beside)) + lines.pop(0)).rstrip()
        yield from (beside + line for line in lines)


def _wrapped(text: str, width: int, margin: str = _MARGIN) -> list[str]:
    """Return the lines of a text; options and commands stay whole."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
