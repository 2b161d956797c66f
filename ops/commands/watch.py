"""``trunkline watch``: what happens, as it happens."""

from __future__ import annotations

import typer

from ops.commands.options import Json, Keys, Token, Url, command_app
from ops.connect.target import here

app = command_app()


@app.command()
def watch(
    context: typer.Context,
    keys: Keys = None,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Print what happens to accounts and the gateway, and every message, until Ctrl-C.

    Exits 0 after Ctrl-C or when the daemon is stopped, 3 when it is lost.
    """
    from ops.actions.watch import Watch
    from ops.connect import supervisor as clients

    try:
        clients.run(Watch(here(context), keys or [], as_json=json, url=url, token=token).run())
    except KeyboardInterrupt:
        return
