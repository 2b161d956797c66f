"""``trunkline channels``: everything about accounts. Each verb does its work in ``ops``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ops.commands.options import (
    All,
    Follow,
    Json,
    Keys,
    Lines,
    Names,
    Reason,
    Token,
    Url,
    Wait,
    WaitTimeout,
    command_app,
)
from ops.connect.target import here
from ops.output.stdout import show_json

app = command_app("List, start, stop and configure accounts.")
Key = Annotated[str, typer.Argument(metavar="KEY", help="Account, like irc:libera.")]


@app.command("list")
def list_accounts(context: typer.Context, json: Json = False) -> None:
    """List the accounts of the configuration; needs no running daemon."""
    from ops.connect.target import loaded
    from ops.output.show import show_table

    specs = loaded(here(context)).accounts.values()
    rows = [
        {
            "account": spec.key,
            "channel": spec.channel,
            "label": spec.label,
            "name": spec.name,
            "enabled": spec.enabled,
            "configured": spec.configured,
            "reason": spec.reason,
            "identity": spec.manifest.describe(spec.config),
            "agent": spec.agent,
        }
        for spec in specs
    ]
    if json:
        show_json({"accounts": rows})
        return
    yes = {True: "yes", False: "no"}
    columns = ("account", "channel", "name", "enabled", "configured", "agent", "identity", "reason")
    flat = [row | {name: yes[bool(row[name])] for name in columns[3:5]} for row in rows]
    show_table(columns, [[row[name] for name in columns] for row in flat])


@app.command()
def status(
    context: typer.Context,
    keys: Keys = None,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Show the state of accounts."""
    from ops.connect import supervisor as clients
    from ops.connect.account_api import reach
    from ops.connect.selection import chosen
    from ops.output.show import show_accounts

    async def work() -> Any:
        async with reach(here(context), url, token) as runtime:
            return (await runtime.status())["accounts"]

    rows = chosen(clients.run(work()), keys or [])
    if json:
        show_json({"accounts": rows})
    else:
        show_accounts(rows)


@app.command()
def describe(context: typer.Context, key: Key, json: Json = False) -> None:
    """Say why an account is as it is, what happens next, its last events and log lines."""
    from ops.output.description import show_description

    told = _ask(context, "channels.describe", {"account": key})
    if json:
        show_json(told)
    else:
        show_description(told)


@app.command()
def start(
    context: typer.Context,
    keys: Keys = None,
    everything: All = False,
    wait: Wait = False,
    timeout: WaitTimeout = 30.0,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Start accounts at once, whatever their backoff, and forget their holds."""
    _act(context, "start", keys, everything, None, wait, timeout, json, url, token)


@app.command()
def stop(
    context: typer.Context,
    keys: Keys = None,
    everything: All = False,
    reason: Reason = None,
    wait: Wait = False,
    timeout: WaitTimeout = 30.0,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Stop accounts, and keep them stopped over restarts of the daemon."""
    _act(context, "stop", keys, everything, reason, wait, timeout, json, url, token)


@app.command()
def restart(
    context: typer.Context,
    keys: Keys = None,
    everything: All = False,
    wait: Wait = False,
    timeout: WaitTimeout = 30.0,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Replace the processes of accounts; a stopped account is started."""
    _act(context, "restart", keys, everything, None, wait, timeout, json, url, token)


@app.command()
def reset(
    context: typer.Context, keys: Keys = None, everything: All = False, json: Json = False
) -> None:
    """Forget the failures of accounts; the wait of one in backoff goes on."""
    _act(context, "reset", keys, everything, None, False, 30.0, json, None, None)


@app.command()
def drain(
    context: typer.Context,
    keys: Keys = None,
    everything: All = False,
    reason: Reason = None,
    timeout: WaitTimeout = 30.0,
    json: Json = False,
) -> None:
    """Stop accounts once their messages in flight are done, and keep them stopped."""
    _act(context, "drain", keys, everything, reason, False, timeout, json, None, None)


@app.command()
def events(context: typer.Context, key: Key, json: Json = False) -> None:
    """Print the last events of an account."""
    from ops.output.description import show_events

    told = _ask(context, "channels.events", {"account": key})
    if json:
        show_json(told)
    else:
        show_events(told["events"])


@app.command()
def logs(
    context: typer.Context,
    keys: Names = None,
    lines: Lines = 100,
    follow: Follow = False,
    json: Json = False,
) -> None:
    """Print what accounts wrote."""
    from ops.actions.logs import show_logs
    from ops.connect import supervisor as clients

    try:
        clients.run(show_logs(here(context), keys or [], lines, follow=follow, as_json=json))
    except KeyboardInterrupt:
        return


@app.command()
def holds(context: typer.Context, keys: Keys = None, json: Json = False) -> None:
    """Show which accounts were stopped by hand, when and why."""
    from ops.connect.selection import chosen, matches
    from ops.output.show import show_table
    from ops.output.text import moment

    held = _ask(context, "channels.holds", {})["holds"]
    if not all(any(matches(key, [name]) for key in held) for name in keys or []):
        rows = _ask(context, "supervisor.status", {})["accounts"]
        # a hold may outlive its account, and an account need not be held; else it is a mistake
        known = dict.fromkeys([*(row["account"] for row in rows), *held])
        chosen([{"account": key} for key in known], keys or [])
    held = {key: hold for key, hold in held.items() if not keys or matches(key, keys)}
    if json:
        show_json({"holds": held})
        return
    on_disk = {True: "yes", False: "no: forgotten at the next start"}
    table = [
        (key, moment(hold["at"]), on_disk[hold.get("persisted", True)], hold.get("reason"))
        for key, hold in held.items()
    ]
    show_table(("account", "since", "on disk", "reason"), table)


@app.command()
def add(
    context: typer.Context,
    key: Key,
    fields: Annotated[
        list[str] | None, typer.Argument(metavar="[FIELD=VALUE…]", help="Its configuration.")
    ] = None,
    json: Json = False,
) -> None:
    """Add an account: write the configuration, check it, have the daemon take it over."""
    from ops.actions.config_edit import add_account

    add_account(here(context), key, fields or [], as_json=json)


@app.command()
def remove(context: typer.Context, key: Key, json: Json = False) -> None:
    """Remove an account: stop it and take it out of the configuration."""
    from ops.actions.config_edit import remove_account

    remove_account(here(context), key, as_json=json)


def _ask(context: typer.Context, method: str, params: dict[str, Any]) -> Any:
    from ops.connect import supervisor as clients

    async def work() -> Any:
        async with clients.supervisor(here(context)) as client:
            return await client.call(method, params)

    return clients.run(work())


def _act(
    context: typer.Context,
    verb: Any,
    keys: list[str] | None,
    everything: bool,
    reason: str | None,
    wait: bool,
    timeout: float,
    json: bool,
    url: str | None,
    token: str | None,
) -> None:
    from ops.actions.accounts import Order, carry_out, show_outcome
    from ops.connect.selection import targets
    from ops.connect.supervisor import run

    order = Order(verb, targets(keys, everything), reason, wait, timeout)
    rows = run(carry_out(here(context), order, url, token))
    show_outcome(order, rows, as_json=json)
