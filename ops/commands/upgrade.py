"""Defines the command ``trunkline upgrade``: shows what an upgrade changed and still needs."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.commands.option_groups import LocalOptions, command
from ops.commands.options import command_app
from ops.exits import UsageFailure

app = command_app()


@command(app)
def upgrade(
    *,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Compare only: the tool that installed Trunkline upgrades it."
        ),
    ] = False,
    options: LocalOptions,
) -> None:
    """Show which version runs, which one is installed, and what changed between them."""
    from ops.actions.upgrade import check_upgrade, show_upgrade
    from ops.connect.places import places_of
    from ops.output.show import show_json

    if not check:
        raise UsageFailure(
            "upgrade Trunkline with the tool that installed it (pip, uv, pipx), then restart it;"
            " `trunkline upgrade --check` shows what that changes"
        )
    found = check_upgrade(places_of(options.target))
    if options.json:
        show_json(found)
    else:
        show_upgrade(found)
