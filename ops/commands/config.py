"""``trunkline config``: find, check and show the configuration; only ``reload`` needs a daemon."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from ops.commands.options import Json, Timeout, Token, Url, command_app
from ops.connect.target import effective, here, loaded
from ops.output.stdout import show_json

app = command_app("Find, check and show the configuration.")


@app.command()
def path(context: typer.Context, json: Json = False) -> None:
    """Print where the configuration lies, and with --json everything else."""
    places = here(context)
    if json:
        show_json(
            {
                "config": str(places.config_path),
                "state": str(places.state_dir),
                "run": str(places.run_dir),
                "logs": str(places.log_dir),
                "profile": places.profile,
            }
        )
    else:
        print(places.config_path)


@app.command()
def validate(context: typer.Context, json: Json = False) -> None:
    """Check the configuration as `up` does; exits 78 and says what is wrong where."""
    from ops.output.text import clean
    from runtime.config.load import doubts

    found = effective(context)
    warnings = doubts(found)
    if json:
        show_json(
            {
                "ok": True,
                "path": str(found.path),
                "revision": found.revision,
                "accounts": list(found.accounts),
                "warnings": warnings,
            }
        )
        return
    for warning in warnings:
        print(clean(f"warning: {warning}"))
    print(clean(f"{found.path} is fine: {len(found.accounts)} accounts"))


@app.command("reload")
def reload_(context: typer.Context, json: Json = False) -> None:
    """Have the daemon take the file over now; exits 78, with nothing changed, if it is wrong."""
    from ops.actions.config_edit import show_reload

    show_reload(here(context), as_json=json)


@app.command()
def show(context: typer.Context, json: Json = False) -> None:
    """Print the configuration with its secrets redacted, as JSON."""
    from runtime.config.redact import redacted

    found = loaded(here(context))
    show_json(redacted(found.raw, found.manifests))


@app.command()
def example(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="Channel, like irc.")],
    json: Json = False,
) -> None:
    """Print an example of a channel's configuration, with every field it knows."""
    from ops.actions.config_example import show_example

    show_example(channel, as_json=json)


@app.command()
def patch(
    context: typer.Context,
    change: Annotated[
        str, typer.Argument(metavar="CHANGE", help="A merge patch in JSON5; - reads it from stdin.")
    ],
    gateway: Annotated[
        bool, typer.Option("--gateway", help="Change that of the gateway, where it is not ours.")
    ] = False,
    timeout: Timeout = 30.0,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Change the configuration, also of a gateway elsewhere, and overwrite nobody's change."""
    from ops.actions import config_patch as patch
    from ops.connect import gateway as gateways
    from ops.connect import supervisor as clients

    wanted = patch.change_of(sys.stdin.read() if change == "-" else change)

    async def work() -> Any:
        if url is None and not gateway:
            async with clients.supervisor(here(context)) as owner:
                return await patch.patch(owner, wanted, timeout)
        where = gateways.elsewhere(url, token) if url else await gateways.own(here(context), token)
        async with clients.gateway(where, timeout=timeout) as afar:
            return await patch.patch(afar, wanted, timeout)

    answer = clients.run(work())
    if json:
        show_json(answer)
    else:
        print("changed; its answer was lost" if answer.get("confirmed") else "changed")
