"""``trunkline logs``: what all processes wrote, as one stream."""

from __future__ import annotations

import typer

from ops.options import Follow, Json, Lines, Names, Token, Url, command_app
from ops.places import here

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
    from ops import gateways, link
    from ops.following import show_logs
    from ops.remotelogs import show_remote_logs

    if url is None:
        work = show_logs(here(context), names or [], lines, follow=follow, as_json=json)
    else:
        where = gateways.elsewhere(url, token)
        work = show_remote_logs(where, names or [], lines, follow=follow, as_json=json)
    try:
        link.run(work)
    except KeyboardInterrupt:
        return
