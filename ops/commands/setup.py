"""Defines the command ``trunkline setup``, which asks for what a first account needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from ops.commands.options import command_app
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError

app = command_app()
NoProbe = Annotated[
    bool,
    typer.Option("--no-probe", help="Do not ask the platform: for a host that cannot reach it."),
]


@app.command()
def setup(context: typer.Context, no_probe: NoProbe = False) -> None:
    """Ask for a channel, its token and an agent, and run the commands that add them.

    The platform is asked about the token before anything is written.
    """
    from ops.actions.setup import set_up
    from ops.connect.places import places_of
    from ops.output.commands import options as given

    root = context.find_root()

    def run(args: Sequence[str]) -> None:
        code = root.command(args=list(args), prog_name="trunkline", standalone_mode=False)
        if code:
            name = " ".join(args[len(given()) :][:2])
            raise OperatorError(f"`trunkline {name}` failed", ExitCode(code))

    set_up(places_of(RuntimeTarget(root.params)), run, probe=not no_probe)
