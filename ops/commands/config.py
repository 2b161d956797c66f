"""Defines the commands ``trunkline config …``: find, check, show and change the configuration.

Only ``reload`` and ``patch`` need a daemon.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ops.commands.option_groups import LocalOptions, RuntimeOptions, command
from ops.commands.options import Json, Timeout, command_app
from ops.output.show import show_json

app = command_app("Find, check, show and change the configuration.")


@command(app)
def path(*, options: LocalOptions) -> None:
    """Print the path of the configuration, with --json also those of state, sockets and logs."""
    from ops.connect.places import places_of

    places = places_of(options.target)
    if options.json:
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


@command(app)
def validate(*, options: LocalOptions) -> None:
    """Check the configuration as `up` does; exits 78 and prints each mistake with its place."""
    from ops.connect.configuration import load_as_up_does
    from ops.output.text import clean
    from runtime.config.load import doubts

    found = load_as_up_does(options.target)
    warnings = [str(each) for each in doubts(found)]
    if options.json:
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
    count = len(found.accounts)
    print(clean(f"{found.path} is fine: {count} account{'' if count == 1 else 's'}"))


@command(app, "reload")
def reload_(*, options: LocalOptions) -> None:
    """Apply the file in the daemon now; exits 78, with nothing changed, if it is wrong."""
    from ops.actions.config_edit import show_reload

    show_reload(options.target, as_json=options.json)


@command(app)
def show(*, options: LocalOptions) -> None:
    """Print the configuration with its secrets redacted, as JSON."""
    from ops.connect.configuration import load_file
    from ops.connect.places import places_of
    from runtime.config.redact import redacted

    found = load_file(places_of(options.target))
    show_json(redacted(found.raw, found.manifests))


@app.command()
def example(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Channel (irc), kind of agent (agent:openai), or section (gateway).",
        ),
    ],
    json: Json = False,
) -> None:
    """Print an example of a channel, agent or section of the configuration, with all its fields.

    Examples:
        trunkline config example irc
        trunkline config example agent:openai
        trunkline config example gateway
    """
    from ops.actions.config_example import show_example

    show_example(name, as_json=json)


@command(app)
def patch(
    *,
    change: Annotated[
        str,
        typer.Argument(
            metavar="CHANGE", help="A JSON merge patch, as JSON5; - reads it from standard input."
        ),
    ],
    gateway: Annotated[
        bool,
        typer.Option("--gateway", help="Change that of a gateway which Trunkline did not start."),
    ] = False,
    timeout: Timeout = 30.0,
    options: RuntimeOptions,
) -> None:
    """Change the configuration, also a remote gateway's, overwriting no change made meanwhile.

    Examples:
        trunkline config patch '{gateway: {port: 19000}}'
        trunkline config patch '{channels: {irc: {groups: {"#team": {}}}}}'
    """
    from ops.actions.config_patch import change_of, patch_config

    wanted = change_of(sys.stdin.read() if change == "-" else change)
    answer = patch_config(options.target, wanted, timeout, through_gateway=gateway)
    if options.json:
        show_json(answer)
    else:
        print("changed; its answer was lost" if answer.get("confirmed") else "changed")
