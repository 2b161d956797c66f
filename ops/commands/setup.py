"""The command ``trunkline setup``, which asks for what a first account needs."""

from __future__ import annotations

from collections.abc import Sequence

from ops.commands.option_groups import LocalOptions, command
from ops.commands.options import command_app
from ops.exits import ExitCode, OperatorError

app = command_app()


@command(app)
def setup(*, options: LocalOptions) -> None:
    """Ask for a channel, its token and an agent, and run the commands that add them."""
    from ops.actions.setup import set_up
    from ops.connect.places import places_of

    root = options.context.find_root().command

    def run(args: Sequence[str]) -> None:
        code = root(args=list(args), prog_name="trunkline", standalone_mode=False)
        if code:
            raise OperatorError(f"`trunkline {' '.join(args[:2])}` failed", ExitCode(code))

    set_up(places_of(options.target), run)
