"""Defines the commands about the whole daemon, such as ``down``, ``status`` and ``history``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ipc.frames.words import is_agent
from ops.commands.option_groups import ListingOptions, LocalOptions, RuntimeOptions, command
from ops.commands.options import Json, Keys, Since, command_app
from ops.connect.identity import own_version
from ops.connect.target import RuntimeTarget
from ops.output.show import show_json

app = command_app()


@app.command()
def down(
    context: typer.Context,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.001, help="How long to wait.")
    ] = 15.0,
) -> None:
    """Stop the daemon and wait until it has ended.

    Exits 4 if it is still ending after --timeout.
    """
    from ops.actions.down import stop_daemon

    pid = stop_daemon(RuntimeTarget(context.find_root().params), timeout)
    print(f"stopped (pid {pid})")


@command(app)
def status(*, keys: Keys = None, listing: ListingOptions, options: RuntimeOptions) -> None:
    """Show the supervisor, the gateway, all accounts and all agents, the worst first.

    Exits 0 whatever their phases are: `trunkline wait` is for scripts.

    Examples:
        trunkline status
        trunkline status irc telegram:main --watch
        trunkline status --filter phase=backoff,phase=failed -o name
    """
    from ops.actions.listing import Found, Listing, show_status
    from ops.connect.selection import chosen
    from ops.output.account_table import rows_that_fit, show_accounts, show_agents
    from ops.output.daemon import show_daemon

    shown: Listing = listing.wanted(as_json=options.json, named=bool(keys))
    known = 0

    def choose(found: Found) -> Found:
        nonlocal known
        known = len(found["accounts"])
        if keys:
            rows = chosen([*found["accounts"], *found["agents"]], keys)
            found["accounts"] = [row for row in rows if not is_agent(row["account"])]
            found["agents"] = [row for row in rows if is_agent(row["account"])]
        return found

    def show(found: Found) -> None:
        above = show_daemon(found)
        if found["accounts"] or not keys:
            room = rows_that_fit(above, found["agents"]) if shown.fits else None
            show_accounts(found["accounts"], wide=shown.wide, known=known, room=room)
        if found["agents"]:
            print()
            show_agents(found["agents"], wide=shown.wide)

    show_status(options.target, shown, choose, show, watch=listing.watch)


@command(app)
def history(*, since: Since = None, options: LocalOptions) -> None:
    """Print what operators have changed: when, what, who and from where.

    Examples:
        trunkline history --since 1d
    """
    import time

    from ops.actions.ask import ask_supervisor
    from ops.output.description import show_changes
    from ops.output.line_filter import since_seconds

    begin = 0.0 if since is None else since_seconds(since, time.time())
    found = ask_supervisor(options.target, "changes.list", {})
    found["changes"] = [each for each in found["changes"] if each["at"] >= begin * 1000]
    if options.json:
        show_json(found)
    else:
        show_changes(found["changes"])


@command(app)
def metrics(*, options: LocalOptions) -> None:
    """Print all metrics as text for Prometheus; while the gateway is down, the supervisor's.

    With --json a list of samples: name, labels, value.
    """
    from ops.actions.metrics import read_metrics, samples

    text = read_metrics(options.target)
    if options.json:
        show_json({"metrics": samples(text)})
    else:
        sys.stdout.write(text)


@app.command()
def version(json: Json = False) -> None:
    """Show the version of Trunkline and of Python."""
    show_version(as_json=json)


def show_version(*, as_json: bool) -> None:
    """Print the version of Trunkline and of Python."""
    import platform

    if as_json:
        show_json({"version": own_version(), "python": platform.python_version()})
        return
    print(f"trunkline {own_version()} (Python {platform.python_version()})")
