"""The tree of commands, as it is read for help, manual and completion."""

from __future__ import annotations

import re

import pytest

from ops.cli.command_info import UNNAMED
from ops.cli.main import Commands
from ops.cli.tree import commands, root_options

FOUND = {" ".join(command.path): command for command in commands()}
MARGIN = "  "  # of an example in the help
NAMED = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def test_every_command_is_in_the_tree_with_its_help() -> None:
    assert {path.split()[0] for path in FOUND} == set(Commands.table)
    assert all(command.help for command in FOUND.values())
    assert FOUND["channels"].children[:2] == ("list", "status")


def test_a_command_has_its_arguments_and_options() -> None:
    start = FOUND["channels start"]
    assert start.usage == "trunkline channels start [OPTION…] [KEY…]"
    options = {option.names[0]: option for option in start.options}
    assert options["--timeout"].takes == "SECONDS"
    assert options["--timeout"].help.endswith(" [default: 30]")
    assert options["--wait"][:2] == (("--wait",), "")
    needed = {option.usage: option.help for option in FOUND["message send"].options}
    assert needed["-t, --target CHAT"].endswith(" [required]")
    assert not {"--profile", "--state-dir"} & set(options)  # they stand before a command
    assert "--profile" in {name for option in root_options() for name in option.names}


def test_it_is_known_what_takes_accounts_and_agents() -> None:
    assert FOUND["channels stop"].takes_accounts
    assert FOUND["logs"].takes_accounts
    assert FOUND["agents stop"].takes_agents
    assert not FOUND["sessions show"].takes_accounts  # a key of another kind
    assert not FOUND["config show"].takes_accounts


@pytest.mark.parametrize("path", [path for path in FOUND if not FOUND[path].children])
def test_a_help_names_only_options_that_there_are(path: str) -> None:
    command = FOUND[path]
    known = {name for option in (*command.options, *root_options()) for name in option.names}
    texts = [*command.help, *(option.help for option in command.options)]
    assert {name for text in texts for name in NAMED.findall(text)} <= known


@pytest.mark.parametrize("path", [path for path in FOUND if not FOUND[path].children])
def test_each_argument_and_option_is_explained_and_its_value_named(path: str) -> None:
    command = FOUND[path]
    assert all(about.endswith(".") for _, about in command.arguments)
    for option in command.options:
        assert re.search(r"\.( \[[^]]+\])?$", option.help), option
        assert option.takes != UNNAMED, option
        assert [name.startswith("--") for name in option.names] in ([True], [False, True]), option


@pytest.mark.parametrize("path", [path for path in FOUND if not FOUND[path].children])
def test_each_command_that_takes_something_has_examples_that_fit_a_terminal(path: str) -> None:
    command = FOUND[path]
    known = {name for option in (*command.options, *root_options()) for name in option.names}
    needed = any(option.help.endswith("[required]") for option in command.options)
    assert command.examples or not (command.arguments or needed)
    assert all(len(MARGIN + line) < 80 for line in command.examples)
    for line in "\n".join(command.examples).replace("\\\n", "").splitlines():
        assert re.match(rf"(sudo )?trunkline {path}( |$)", line)
        assert set(NAMED.findall(line)) <= known


def test_an_option_takes_the_same_wherever_it_means_the_same() -> None:
    everywhere: dict[str, set[str]] = {}
    for command in FOUND.values():
        for option in command.options:
            everywhere.setdefault(option.names[-1], set()).add(option.takes)
    assert {name: takes for name, takes in everywhere.items() if len(takes) > 1} == {
        # OpenClaw's words, which its users type: of `cron add` and `agent`, and our own
        "--account": {"ACCOUNT", "KEY"},
        "--reply-to": {"CHAT", "ID"},
        "--to": {"CHAT", "FILE"},
        "--role": {"ID", "operator|node"},  # of a chat's member, and of a token
    }
