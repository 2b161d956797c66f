"""Every command of `trunkline` in the documents exists, with its options and arguments."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import typer

from ops.cli.conversion import convert_plainly
from ops.cli.main import app
from tests.docs.links import PAGES, ROOT

BLOCK = re.compile(r"^ *```(?:sh)?\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^ *(?:\$ |\.venv/bin/)?trunkline (.+)$", re.MULTILINE)
GENERATED = {"docs/cli.md"}


def commands(page: str) -> list[list[str]]:
    """Return the arguments of each command in the blocks of a page."""
    text = (ROOT / page).read_text()
    lines = [line for block in BLOCK.findall(text) for line in COMMAND.findall(block)]
    return [shlex.split(line.partition(" | ")[0], comments=True) for line in lines]


def parse(args: list[str]) -> None:
    """Parse a command line without running it; raise for an unknown command or option."""
    command: Any = typer.main.get_command(app)
    convert_plainly(command)
    context = None
    while True:
        context = command.make_context(command.name, args, parent=context)
        args = [*context._protected_args, *context.args]  # click has no public name for both
        if not hasattr(command, "resolve_command") or not args:
            return
        _, command, args = command.resolve_command(context, args)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in GENERATED])
def test_every_command_can_be_typed_as_it_stands_there(page: str) -> None:
    for args in commands(page):
        parse(args)


def test_the_blocks_with_commands_are_found() -> None:
    found = [args for page in PAGES if page not in GENERATED for args in commands(page)]
    assert len(found) > 60


@pytest.mark.parametrize(
    "line", ["channels begin irc:libera", "status --colour", "wait irc:libera --for", "backup a b"]
)
def test_a_wrong_command_is_found(line: str) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|requires|unexpected"):
        parse(shlex.split(line))
