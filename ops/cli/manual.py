"""Writes the manual page and the command reference from the tree of commands.

``python -m ops.cli.manual > docs/trunkline.1``, ``python -m ops.cli.manual --markdown >
docs/cli.md``; a test holds both to the commands.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence

from ops.cli.command_info import CommandInfo, OptionInfo
from ops.cli.tree import commands, root_options
from ops.exits import EXIT_MEANINGS

SUMMARY = "run many chat-channel accounts on one host, each in its own process"
INTRODUCTION = (
    "A supervisor runs every account and every agent in a process of its own, behind one gateway"
    " that clients connect to. The commands go to the supervisor of one state directory, or, with"
    " --url, through a gateway."
)
FILES = (
    ("~/.config/trunkline/trunkline.json5", "the configuration; `trunkline config path` prints it"),
    ("~/.local/state/trunkline/", "state: the journal, holds, logs, what accounts store"),
)
VARIABLES = (
    ("TRUNKLINE_STATE_DIR", "the state directory, instead of --state-dir"),
    ("TRUNKLINE_CONFIG_PATH", "the configuration, instead of --config"),
    ("TRUNKLINE_PROFILE", "the profile, instead of --profile"),
    ("TRUNKLINE_GATEWAY_PORT", "the gateway's port"),
    ("TRUNKLINE_GATEWAY_TOKEN", "the gateway's token"),
    (
        "OPENCLAW_GATEWAY_URL, OPENCLAW_GATEWAY_TOKEN",
        "the values of --url and --token if those are not given",
    ),
    ("NO_COLOR", "no colours"),
)


def man_page() -> str:
    """Return the manual page for section 1, in the macros of man(7)."""
    return "\n".join(_man_lines()) + "\n"


def reference() -> str:
    """Return the reference of the commands as Markdown."""
    return "\n".join(_markdown_lines()) + "\n"


def _man_lines() -> Iterator[str]:
    yield '.TH TRUNKLINE 1 "" "Trunkline" "User Commands"'
    yield from (".SH NAME", f"trunkline \\- {_roff(SUMMARY)}")
    yield from (
        ".SH SYNOPSIS",
        ".B trunkline",
        "[\\fIOPTION\\fR...] \\fICOMMAND\\fR [\\fIARGUMENT\\fR...]",
    )
    yield from (".SH DESCRIPTION", _roff(INTRODUCTION))
    yield ".SH OPTIONS"
    for option in root_options():
        yield from _man_option(option)
    yield ".SH COMMANDS"
    for command in commands():
        if command.children:
            continue
        yield f".SS {_roff(command.usage.removeprefix('trunkline '))}"
        yield from _man_text(command)
        for name, meaning in command.arguments:
            if meaning:
                yield from (".TP", f"\\fI{_roff(name)}\\fR", _roff(meaning))
        for option in command.options:
            yield from _man_option(option)
    yield ".SH EXIT STATUS"
    for code, meaning in EXIT_MEANINGS.items():
        yield from (".TP", f"\\fB{int(code)}\\fR", _roff(meaning))
    for title, rows in (("ENVIRONMENT", VARIABLES), ("FILES", FILES)):
        yield f".SH {title}"
        for name, meaning in rows:
            yield from (".TP", f"\\fI{_roff(name)}\\fR", _roff(meaning))


def _man_option(option: OptionInfo) -> Iterator[str]:
    names = ", ".join(f"\\fB{_roff(name)}\\fR" for name in option.names)
    yield ".TP"
    yield f"{names} \\fI{_roff(option.takes)}\\fR" if option.takes else names
    yield _roff(option.help) or "\\&"


def _man_text(command: CommandInfo) -> Iterator[str]:
    for number, paragraph in enumerate(command.help):
        if number:
            yield ".PP"
        yield _roff(paragraph)
    if command.examples:
        yield from (".PP", "Examples:", ".PP", ".nf", *map(_roff, command.examples), ".fi")


def _roff(text: str) -> str:
    """Escape text for roff, in ASCII if possible."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def _markdown_lines() -> Iterator[str]:
    yield from (
        "# Commands",
        "",
        "Generated from the commands themselves; [operations.md](operations.md) describes",
    )
    yield from ("how to use them.", "", "## trunkline", "")
    yield from _markdown_table("option", "does", _option_rows(root_options()))
    for command in commands():
        yield from (
            "",
            f"{'##' if len(command.path) == 1 else '###'} trunkline {' '.join(command.path)}",
        )
        for paragraph in command.help:
            yield from ("", _markdown(paragraph))
        if command.children:
            continue
        yield from ("", "```text", command.usage, "```")
        if command.examples:
            yield from ("", "Examples:", "", "```sh", *command.examples, "```")
        rows = [(f"`{name}`", meaning) for name, meaning in command.arguments if meaning]
        rows += _option_rows(command.options)
        if rows:
            yield ""
            yield from _markdown_table("argument, option", "does", rows)
    yield from ("", "## Exit codes", "")
    rows = [(str(int(code)), meaning) for code, meaning in EXIT_MEANINGS.items()]
    yield from _markdown_table("code", "means", rows)


def _option_rows(options: Sequence[OptionInfo]) -> list[tuple[str, str]]:
    return [(f"`{option.usage}`", option.help) for option in options]


def _markdown_table(left: str, right: str, rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield from (f"| {left} | {right} |", "|---|---|")
    for row in rows:
        name, meaning = (each.replace("|", r"\|") for each in row)
        yield f"| {name} | {_markdown(meaning)} |"


def _markdown(text: str) -> str:
    return re.sub(r"(?<!`)<([a-z]+)>", r"`<\1>`", text)


if __name__ == "__main__":
    sys.stdout.write(reference() if "--markdown" in sys.argv else man_page())
