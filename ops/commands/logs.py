"""``trunkline logs``: what all processes wrote, as one stream."""

from __future__ import annotations

import typer

from ops.options import Follow, Json, Lines, Names, command_app
from ops.places import here

app = command_app()


@app.command()
def logs(
    context: typer.Context,
    names: Names = None,
    lines: Lines = 100,
    follow: Follow = False,
    json: Json = False,
) -> None:
    """Print the logs of the supervisor, the gateway and the accounts as one stream."""
    from ops import link
    from ops.following import show_logs

    try:
        link.run(show_logs(here(context), names or [], lines, follow=follow, as_json=json))
    except KeyboardInterrupt:
        return
