"""Every command of `trunkline` in the documents exists, with its options and arguments.

Those in running text, in alert rules and in what the product prints exist at least by name.
"""

from __future__ import annotations

import functools
import re
import shlex
from typing import Any

import pytest
import typer

from ops.cli import tree
from ops.cli.conversion import convert_plainly
from ops.cli.main import app
from tests.docs.links import PAGES, ROOT

BLOCK = re.compile(r"^ *```(?:sh)?\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^ *(?:\$ |\.venv/bin/)?trunkline (.+)$", re.MULTILINE)
GENERATED = {"docs/cli.md"}
# The words of a command that stands in a sentence, before its first option or placeholder.
MENTION = re.compile(r"`(?:\$ )?trunkline((?:\s+[a-z]+)+)(?=[`\s])")
MENTIONING = [
    *(ROOT / page for page in PAGES),
    *(ROOT / "ops/dashboards").glob("*.yml"),
    *(
        path
        for room in ("ops", "runtime", "workers", "ipc")
        for path in (ROOT / room).rglob("*.py")
    ),
    *(ROOT / "runtime/gateway/page").glob("*.js"),
]


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


def unknown_words(text: str) -> list[str]:
    """Return the mentioned commands that do not exist."""
    mentions = [words.split() for words in MENTION.findall(text)]
    return [" ".join(words) for words in mentions if not _exists(words)]


@functools.cache
def _paths() -> frozenset[tuple[str, ...]]:
    return frozenset(each.path for each in tree.commands())


def _exists(words: list[str]) -> bool:
    """Return whether the words begin with a command; those after a whole one are its arguments."""
    paths = _paths()
    group: tuple[str, ...] = ()
    for word in words:
        if (*group, word) not in paths:
            return bool(group) and not any(path[:-1] == group for path in paths)
        group = (*group, word)
    return True


def test_every_command_in_a_sentence_exists() -> None:
    texts = {path: path.read_text() for path in MENTIONING}
    assert sum(len(MENTION.findall(text)) for text in texts.values()) > 250
    wrong = {str(path): found for path, text in texts.items() if (found := unknown_words(text))}
    assert wrong == {}


@pytest.mark.parametrize("page", [page for page in PAGES if page not in GENERATED])
def test_every_command_can_be_typed_as_it_stands_there(page: str) -> None:
    for args in commands(page):
        parse(args)


@pytest.mark.parametrize("path", [each.path for each in tree.commands() if each.examples])
def test_every_example_of_a_help_can_be_typed(path: tuple[str, ...]) -> None:
    (command,) = (each for each in tree.commands() if each.path == path)
    for line in "\n".join(command.examples).replace("\\\n", " ").splitlines():
        words = shlex.split(line.removeprefix("sudo "))
        assert tuple(words[1 : len(path) + 1]) == path
        parse(words[1:])


def test_the_blocks_with_commands_are_found() -> None:
    found = [args for page in PAGES if page not in GENERATED for args in commands(page)]
    assert len(found) > 60


@pytest.mark.parametrize(
    "line", ["channels begin irc:libera", "status --colour", "wait irc:libera --for", "backup a b"]
)
def test_a_wrong_command_is_found(line: str) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|requires|unexpected"):
        parse(shlex.split(line))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see `trunkline gateway clients`", []),
        ("`trunkline gateway customers` shows", ["gateway customers"]),
        ("`trunkline channels describe irc`, `trunkline wait KEY`, `trunkline --help`", []),
        ("`trunkline begin`", ["begin"]),
    ],
)
def test_a_wrong_command_in_a_sentence_is_found(text: str, found: list[str]) -> None:
    assert unknown_words(text) == found
