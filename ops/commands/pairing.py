"""Defines the commands ``trunkline pairing …``: decide who may talk to the accounts."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ops.commands.gateway_calls import call_gateway, show_done
from ops.commands.option_groups import RuntimeOptions, command
from ops.commands.options import command_app
from ops.connect.selection import split
from ops.exits import OperatorError, UsageFailure
from ops.output.show import show_fields, show_json
from ops.output.text import moment

app = command_app("Approve people who write to an account for the first time, or block them.")

Words = Annotated[
    list[str],
    typer.Argument(
        metavar="[CHANNEL] CODE",
        help="The code that the person was sent; CHANNEL if it is not clear.",
    ),
]
Channel = Annotated[
    str | None, typer.Option(metavar="CHANNEL", help="Only those of this channel, like telegram.")
]
Key = Annotated[str, typer.Argument(metavar="KEY", help="Account, like irc:libera.")]
SenderId = Annotated[
    str, typer.Argument(metavar="SENDER", help="The person's id, as `pairing list` shows it.")
]
Notify = Annotated[bool, typer.Option("--notify", help="Send the person a message about it.")]
Unverified = Annotated[
    bool,
    typer.Option("--unverified", help="Admit a name that the platform does not vouch for."),
]
Owner = Annotated[
    bool, typer.Option("--owner", help="Let the person use the commands of owners, too (/agent).")
]
PATCH_SECONDS = 30.0
REQUESTS = {
    "account": "account",
    "sender": "senderId",
    "name": "name",
    "verified": "verified",
    "asked": "createdAt",
    "valid until": "expiresAt",
}
TIMES = ("createdAt", "expiresAt")
PEOPLE = {"account": "account", "sender": "senderId", "name": "name", "state": "state"}


@command(app, "list")
def list_(*, channel: Channel = None, options: RuntimeOptions) -> None:
    """Show who waits to be approved, and who was approved or blocked. Codes are not shown."""
    params = {"channel": channel} if channel else {}
    answer = call_gateway(options, "channels.pairing.list", params)
    if options.json:
        show_json(answer)
        return
    waiting = [
        {
            **row,
            "account": f"{row['channel']}:{row['accountId']}",
            "name": row["metadata"].get("name"),
            "verified": "yes" if row["verified"] else "no",
            **{name: moment(row[name])[:19] for name in TIMES if name in row},
        }
        for row in answer["requests"]
    ]
    if waiting or not answer["people"]:
        show_fields(waiting, REQUESTS)
    if waiting and answer["people"]:
        print()
    if answer["people"]:
        show_fields(answer["people"], PEOPLE)


@command(app)
def approve(
    *,
    words: Words,
    notify: Notify = False,
    unverified: Unverified = False,
    owner: Owner = False,
    options: RuntimeOptions,
) -> None:
    """Admit the person who was given this code; it is valid for an hour.

    Examples:
        trunkline pairing approve 7QX4M2KP --notify
        trunkline pairing approve telegram 7QX4M2KP --owner
    """
    if owner and unverified:
        raise UsageFailure("--owner is for people for whom the platform vouches")
    if len(words) > 2:
        raise UsageFailure(
            f"unexpected {words[2]!r}: approve takes a channel and a code, or only the code"
        )
    params: dict[str, Any] = {"code": words[-1], "notify": notify, "unverified": unverified}
    if len(words) == 2:
        params["channel"] = words[0]
    answer = call_gateway(options, "channels.pairing.approve", params)
    done = f"{answer['senderId']} may talk to {answer['account']}"
    if owner:
        entry = f"{answer['account'].partition(':')[0]}:{answer['senderId']}"
        _add_owner(options, entry)
        done += f", and is an owner: {entry} stands in commands.ownerAllowFrom"
    show_done(options, answer, done)


@command(app)
def dismiss(*, key: Key, sender: SenderId, options: RuntimeOptions) -> None:
    """Drop a person's request; if that person writes again, another code is sent.

    Examples:
        trunkline pairing dismiss telegram:main 812345678
    """
    where = _account(key)
    answer = call_gateway(options, "channels.pairing.list", {"channel": where["channel"]})
    mine = (
        row["requestId"]
        for row in answer["requests"]
        if row["accountId"] == where["accountId"] and row["senderId"] == sender
    )
    request = next(mine, None)
    if request is None:
        raise OperatorError(
            f"{sender} does not wait at {key}; `trunkline pairing list` shows who does"
        )
    done = call_gateway(options, "channels.pairing.dismiss", where | {"requestId": request})
    show_done(options, done, f"the request of {sender} is dismissed")


@command(app)
def block(*, key: Key, sender: SenderId, options: RuntimeOptions) -> None:
    """Never answer a person again, whoever else is admitted.

    Examples:
        trunkline pairing block telegram:main 812345678
    """
    answer = call_gateway(options, "channels.pairing.block", _account(key) | {"senderId": sender})
    show_done(options, answer, f"{sender} is blocked in {key}")


@command(app)
def unblock(*, key: Key, sender: SenderId, options: RuntimeOptions) -> None:
    """Remove the decision about a person, blocked or approved; that person may ask again.

    Examples:
        trunkline pairing unblock telegram:main 812345678
    """
    answer = call_gateway(options, "channels.pairing.unblock", _account(key) | {"senderId": sender})
    show_done(options, answer, f"{sender} is neither blocked nor approved in {key} any more")


def _add_owner(options: RuntimeOptions, entry: str) -> None:
    """Add a person to those who may use the commands of owners."""
    from ops.actions.config_patch import patch_config

    def change(values: dict[str, Any]) -> dict[str, Any]:
        commands = values.get("commands")
        owners = commands.get("ownerAllowFrom") if isinstance(commands, dict) else None
        others = [each for each in owners or () if each != entry]
        return {"commands": {"ownerAllowFrom": [*others, entry]}}

    patch_config(options.target, change, PATCH_SECONDS)


def _account(key: str) -> dict[str, str]:
    channel, account = split(key)
    return {"channel": channel, "accountId": account}
