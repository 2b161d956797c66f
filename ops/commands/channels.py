"""Defines the commands ``trunkline channels …``: list, control and configure accounts."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ops.commands.option_groups import (
    AccountSelection,
    LineSelection,
    ListingOptions,
    LocalOptions,
    RuntimeOptions,
    WaitOptions,
    command,
)
from ops.commands.options import Keys, Names, Reason, Since, command_app
from ops.exits import UsageFailure
from ops.output.commands import for_runtime
from ops.output.show import show_json, show_table

app = command_app("List, start, stop and configure accounts.")
AllUnknown = Annotated[
    bool,
    typer.Option(
        "--all-unknown",
        help="Every account of which it is unknown whether it was stopped (cause hold_unknown).",
    ),
]
Key = Annotated[str, typer.Argument(metavar="KEY", help="Account, like irc:libera.")]
DrainTimeout = Annotated[
    float,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=0.001,
        max=600,
        help="Stop them after this time in any case, at most 600.",
    ),
]


@command(app, "list")
def list_accounts(*, options: LocalOptions) -> None:
    """List the accounts of the configuration; needs no running daemon."""
    from ops.connect.configuration import load_file
    from ops.connect.places import places_of
    from ops.output.account_table import NO_ACCOUNTS

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
        for spec in load_file(places_of(options.target)).accounts.values()
    ]
    if options.json:
        show_json({"accounts": rows})
        return
    if not rows:
        print(for_runtime(NO_ACCOUNTS))
        return
    yes = {True: "yes", False: "no"}
    columns = ("account", "channel", "name", "enabled", "configured", "agent", "identity", "reason")
    flat = [row | {name: yes[bool(row[name])] for name in columns[3:5]} for row in rows]
    show_table(columns, [[row[name] for name in columns] for row in flat])


@command(app)
def status(*, keys: Keys = None, listing: ListingOptions, options: RuntimeOptions) -> None:
    """Show the state of accounts, the worst first.

    Examples:
        trunkline channels status irc
        trunkline channels status --filter phase!=running --sort failures
    """
    from ops.actions.listing import Found, Listing, show_status
    from ops.connect.selection import chosen
    from ops.output.account_table import rows_that_fit, show_accounts

    shown: Listing = listing.wanted(as_json=options.json, named=bool(keys))
    known = 0

    def choose(found: Found) -> Found:
        nonlocal known
        known = len(found["accounts"])
        return {"accounts": chosen([*found["accounts"], *found["agents"]], keys or [])}

    def show(found: Found) -> None:
        room = rows_that_fit() if shown.fits else None
        show_accounts(found["accounts"], wide=shown.wide, known=known, room=room)

    show_status(options.target, shown, choose, show, watch=listing.watch)


@command(app)
def describe(*, key: Key, options: LocalOptions) -> None:
    """Show why an account is in its state, what happens next, its last events and log lines.

    Examples:
        trunkline channels describe irc:libera
    """
    from ops.output.description import show_description

    found = _ask(options, "channels.describe", {"account": key})
    if options.json:
        show_json(found)
    else:
        show_description(found)


@command(app)
def why(
    *,
    key: Key,
    sender: Annotated[
        str, typer.Argument(metavar="SENDER", help="A person's id there, as the channel names it.")
    ],
    chat: Annotated[
        str | None, typer.Option(metavar="ID", help="In this group, by its id.")
    ] = None,
    thread: Annotated[
        str | None, typer.Option(metavar="ID", help="In this thread or topic, by its id.")
    ] = None,
    guild: Annotated[
        str | None, typer.Option(metavar="ID", help="In this Discord server, by its id.")
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="With this role there, by its id; repeatable."),
    ] = None,
    options: RuntimeOptions,
) -> None:
    """Show whether a person's message is answered, and which line of the configuration decides.

    Examples:
        trunkline channels why telegram:main 812345678
        trunkline channels why irc:libera ann --chat '#team'
    """
    from ops.actions.why import SenderPlace, ask_why
    from ops.output.admission import show_why

    place = SenderPlace(chat, thread, guild, role or ())
    found = ask_why(options.target, key, sender, place)
    if options.json:
        show_json(found)
    else:
        show_why(found)


@command(app)
def start(
    *,
    selection: AccountSelection,
    all_unknown: AllUnknown = False,
    waiting: WaitOptions,
    options: RuntimeOptions,
) -> None:
    """Start accounts at once, also in a backoff, and release their holds.

    Examples:
        trunkline channels start irc:libera --wait --timeout 60
    """
    if not all_unknown:
        _control("start", selection, options, waiting)
        return
    if selection.keys or selection.everything:
        raise UsageFailure("--all-unknown goes with no KEY and without --all")
    _carry_out("start", None, options, waiting)


@command(app)
def stop(
    *,
    selection: AccountSelection,
    reason: Reason = None,
    waiting: WaitOptions,
    options: RuntimeOptions,
) -> None:
    """Stop accounts, and keep them stopped over restarts of the daemon.

    Examples:
        trunkline channels stop irc:libera --reason 'moving to another host' --wait
        trunkline channels stop telegram
    """
    _control("stop", selection, options, waiting, reason)


@command(app)
def restart(*, selection: AccountSelection, waiting: WaitOptions, options: RuntimeOptions) -> None:
    """Replace the processes of accounts; a stopped account is started.

    Examples:
        trunkline channels restart irc:libera --wait
        trunkline channels restart --all
    """
    _control("restart", selection, options, waiting)


@command(app)
def reset(*, selection: AccountSelection, options: LocalOptions) -> None:
    """Forgive the failures of accounts; a running backoff continues.

    Examples:
        trunkline channels reset irc:libera
    """
    _control("reset", selection, options, WaitOptions())


@command(app)
def drain(
    *,
    selection: AccountSelection,
    reason: Reason = None,
    timeout: DrainTimeout = 30.0,
    options: LocalOptions,
) -> None:
    """Stop accounts once their messages in flight are done, and keep them stopped.

    Examples:
        trunkline channels drain telegram --reason 'new token' --timeout 60
    """
    _control("drain", selection, options, WaitOptions(timeout=timeout), reason)


@command(app)
def login(*, key: Key, options: RuntimeOptions) -> None:
    """Log in an account whose channel asks a person: by QR code, code, question or web page.

    Exits 0 once it is logged in, 1 if that fails.

    Examples:
        trunkline channels login whatsapp:main
    """
    from ops.actions.login import log_in

    log_in(options.target, key, as_json=options.json)


@command(app)
def logout(*, key: Key, options: RuntimeOptions) -> None:
    """End the login of an account at its platform; it stays stopped until it is started again.

    Examples:
        trunkline channels logout whatsapp:main
    """
    from ops.actions.login import log_out

    answer = log_out(options.target, key)
    if options.json:
        show_json(answer)
    else:
        print(f"{key} is logged out" if answer["loggedOut"] else f"{key} was not logged in")


@command(app)
def events(*, key: Key, since: Since = None, options: LocalOptions) -> None:
    """Print the last events of an account.

    Examples:
        trunkline channels events irc:libera --since 1d
    """
    import time

    from ops.output.description import show_events
    from ops.output.line_filter import since_seconds

    begin = 0.0 if since is None else since_seconds(since, time.time())
    found = _ask(options, "channels.events", {"account": key})
    found["events"] = [each for each in found["events"] if each["at"] >= begin * 1000]
    if options.json:
        show_json(found)
    else:
        show_events(found["events"])


@command(app)
def logs(*, names: Names = None, selection: LineSelection, options: LocalOptions) -> None:
    """Print the log lines of accounts.

    Examples:
        trunkline channels logs irc:libera --follow
    """
    from ops.actions.logs import print_logs

    print_logs(options.target, selection.wanted(names or []), as_json=options.json)


@command(app)
def holds(*, keys: Keys = None, options: LocalOptions) -> None:
    """Show which accounts were stopped by hand, when and why.

    Examples:
        trunkline channels holds irc
    """
    from ops.connect.selection import EVERY, chosen, matches
    from ops.output.text import moment

    held = _ask(options, "channels.holds", {})["holds"]
    if not all(any(matches(key, [name]) for key in held) for name in keys or []):
        status = _ask(options, "supervisor.status", {})
        rows = [*status["accounts"], *status.get("agents", [])]
        # a hold may outlive its account, and an account need not be held; else it is a mistake
        known = dict.fromkeys([*(row["account"] for row in rows), *held])
        chosen([{"account": key} for key in known], keys or [])
    held = {key: hold for key, hold in held.items() if matches(key, keys or [EVERY])}
    if options.json:
        show_json({"holds": held})
        return
    on_disk = {True: "yes", False: "no: forgotten at the next start"}
    table = [
        (key, moment(hold["at"]), on_disk[hold.get("persisted", True)], hold.get("reason"))
        for key, hold in held.items()
    ]
    show_table(("account", "since", "on disk", "reason"), table)


@command(app)
def add(
    *,
    key: Key,
    fields: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FIELD=VALUE…]", help="Fields that `config example CHANNEL` lists."
        ),
    ] = None,
    options: LocalOptions,
) -> None:
    """Add an account: check the new configuration, write it, have the daemon apply it.

    Examples:
        trunkline channels add irc:libera server=irc.libera.chat nick=bot \\
            'channels=#team'
        trunkline channels add telegram:main \\
            'botToken={source: "env", id: "TELEGRAM_TOKEN"}'
    """
    from ops.actions.config_edit import add_account

    add_account(options.target, key, fields or [], as_json=options.json)


@command(app)
def remove(*, key: Key, options: LocalOptions) -> None:
    """Remove an account: stop it and take it out of the configuration.

    Examples:
        trunkline channels remove irc:libera
    """
    from ops.actions.config_edit import remove_account

    remove_account(options.target, key, as_json=options.json)


def _control(
    verb: Any,
    selection: AccountSelection,
    options: LocalOptions,
    waiting: WaitOptions,
    reason: str | None = None,
) -> None:
    _carry_out(verb, selection.targets, options, waiting, reason)


def _carry_out(
    verb: Any,
    targets: list[str] | None,
    options: LocalOptions,
    waiting: WaitOptions,
    reason: str | None = None,
) -> None:
    from ops.actions.accounts import Order, carry_out, show_outcome

    order = Order(verb, targets, reason, waiting.wait, waiting.timeout)
    show_outcome(order, carry_out(options.target, order), as_json=options.json)


def _ask(options: LocalOptions, method: str, params: dict[str, Any]) -> Any:
    from ops.actions.ask import ask_supervisor

    return ask_supervisor(options.target, method, params)
