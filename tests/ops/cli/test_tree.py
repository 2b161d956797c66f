"""The tree of commands, as it is read for help, manual and completion."""

from __future__ import annotations

from ops.cli.main import Commands
from ops.cli.tree import commands, root_options

FOUND = {" ".join(command.path): command for command in commands()}


def test_every_command_is_in_the_tree_with_its_help() -> None:
    assert {path.split()[0] for path in FOUND} == set(Commands.table)
    assert all(command.help for command in FOUND.values())
    assert FOUND["channels"].children[:2] == ("list", "status")


def test_a_command_has_its_arguments_and_options() -> None:
    start = FOUND["channels start"]
    assert start.usage == "trunkline channels start [OPTION…] [KEY…]"
    options = {option.names[0]: option for option in start.options}
    assert options["--timeout"].takes == "TIMEOUT"
    assert options["--wait"] == (("--wait",), "", "Return only when it is so.")
    assert not {"--profile", "--state-dir"} & set(options)  # they stand before a command
    assert "--profile" in {name for option in root_options() for name in option.names}


def test_it_is_known_what_takes_accounts_and_agents() -> None:
    assert FOUND["channels stop"].takes_accounts
    assert FOUND["logs"].takes_accounts
    assert FOUND["agents stop"].takes_agents
    assert not FOUND["sessions show"].takes_accounts  # a key of another kind
    assert not FOUND["config show"].takes_accounts
