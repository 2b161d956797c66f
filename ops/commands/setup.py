"""The command ``trunkline setup``, which asks for what a first account needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from ops.commands.option_groups import LocalOptions, command
from ops.commands.options import command_app
from ops.exits import ExitCode, OperatorError

app = command_app()
NoProbe = Annotated[
    bool,
    typer.Option("--no-probe", help="Do not ask the platform: for a host that cannot reach it."),
]


@command(app)
def setup(*, no_probe: NoProbe = False, options: LocalOptions) -> None:
    """Ask for a channel, its token and an agent, and run the commands that add them.

    The platform is asked about the token before anything is written.
    """
    from ops.actions.setup import set_up
    from ops.connect.places import places_of
    from ops.output.commands import options as given

    root = options.context.find_root().command

    def run(args: Sequence[str]) -> None:
        code = root(args=list(args), prog_name="trunkline", standalone_mode=False)
        if code:
            name = " ".join(args[len(given()) :][:2])
            raise OperatorError(f"`trunkline {name}` failed", ExitCode(code))

    set_up(places_of(options.target), run, probe=not no_probe)
