"""``trunkline logs``: what all processes wrote, as one stream."""

from __future__ import annotations

import typer

from ops.commands.options import Follow, Json, Lines, Names, Token, Url, command_app
from ops.connect.target import here

app = command_app()


@app.command()
def logs(
    context: typer.Context,
    names: Names = None,
    lines: Lines = 100,
    follow: Follow = False,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Print the logs of the supervisor, the gateway and the accounts as one stream."""
    from ops.actions.logs import show_logs
    from ops.actions.remote_logs import show_remote_logs
    from ops.connect import gateway as gateways
    from ops.connect import supervisor as clients

    if url is None:
        work = show_logs(here(context), names or [], lines, follow=follow, as_json=json)
    else:
        where = gateways.elsewhere(url, token)
        work = show_remote_logs(where, names or [], lines, follow=follow, as_json=json)
    try:
        clients.run(work)
    except KeyboardInterrupt:
        return
