"""What is read of a command: its help, its examples, and what its options take."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ops.cli.command_info import UNNAMED, info_of
from ops.commands.options import command_app

app = command_app()


@app.command()
def tell(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whom.")],
    wait: Annotated[float, typer.Option("--wait", "-w", metavar="SECONDS", help="How long.")] = 2.0,
    token: Annotated[str | None, typer.Option(help="A secret.")] = None,
    loud: Annotated[bool, typer.Option("--loud", help="Shout.")] = False,
) -> None:
    """Tell it
    to a person.

    At once.

    Examples:
        tell ada \\
            --loud
    """


COMMAND: Any = typer.main.get_command(app)


def test_help_and_examples_are_told_apart() -> None:
    found = info_of(("tell",), COMMAND)
    assert found.help == ("Tell it to a person.", "At once.")
    assert found.examples == ("tell ada \\", "    --loud")
    assert found.usage == "trunkline tell [OPTION…] NAME"
    assert found.arguments == (("NAME", "Whom."),)


def test_an_option_has_its_short_name_first_its_unit_and_its_default() -> None:
    wait, token, loud = info_of(("tell",), COMMAND).options
    assert (wait.usage, wait.help) == ("-w, --wait SECONDS", "How long. [default: 2]")
    assert (token.takes, token.help) == (UNNAMED, "A secret.")
    assert (loud.usage, loud.help) == ("--loud", "Shout.")


def test_a_group_and_the_whole_have_a_usage_of_their_own() -> None:
    assert info_of(("channels",), COMMAND, ("list",)).usage == "trunkline channels COMMAND NAME"
    assert info_of((), COMMAND, ("up",)).usage.startswith("trunkline [OPTION…] COMMAND [ARGUMENT…]")
