"""Defines the commands ``trunkline deadletters …``: manage messages that were given up."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from ops.commands.gateway_calls import call_and_show, call_gateway
from ops.commands.option_groups import RuntimeOptions, command
from ops.commands.options import command_app
from ops.output.show import show_fields, show_json, show_rest

app = command_app("List, retry or discard messages that could not be sent and were given up.")

Letter = Annotated[
    str, typer.Argument(metavar="ID", help="Id of a message, as `deadletters list` shows it.")
]
Limit = Annotated[
    int,
    typer.Option("-n", "--limit", metavar="COUNT", help="Show so many at most.", min=1, max=10_000),
]
Account = Annotated[
    str | None, typer.Option(metavar="KEY", help="Only those of this account, like irc:libera.")
]
COLUMNS = {
    "id": "id",
    "account": "account",
    "chat": "chat",
    "state": "state",
    "attempts": "attempts",
    "age": "age",
    "message": "text",
    "why": "error",
}


@command(app, "list")
def list_(*, account: Account = None, limit: Limit = 100, options: RuntimeOptions) -> None:
    """Show the messages that were given up, the oldest first."""
    from ops.output.text import age

    params = {"limit": limit} | ({"account": account} if account else {})
    answer = call_gateway(options, "deadletters.list", params, rows="letters")
    if options.json:
        show_json(answer)
        return
    now = time.time() * 1000
    rows = [
        {**row, "age": age((now - row["at"]) / 1000), "text": " ".join(row.get("text", "").split())}
        for row in answer["letters"]
    ]
    show_fields(rows, COLUMNS)
    show_rest(answer.get("count", 0), len(rows))


@command(app)
def show(*, letter: Letter, options: RuntimeOptions) -> None:
    """Show one message with its text, and the parts of it that were sent.

    Examples:
        trunkline deadletters show 01JD8Q
    """
    show_json(call_gateway(options, "deadletters.show", {"id": letter}))


@command(app)
def retry(*, letter: Letter, options: RuntimeOptions) -> None:
    """Try a message again. One whose state is `unknown` may arrive twice.

    Examples:
        trunkline deadletters retry 01JD8Q
    """
    call_and_show(options, "deadletters.retry", {"id": letter}, "queued")


@command(app)
def discard(*, letter: Letter, options: RuntimeOptions) -> None:
    """Discard a message that was given up, permanently.

    Examples:
        trunkline deadletters discard 01JD8Q
    """
    call_and_show(options, "deadletters.discard", {"id": letter}, "discarded")
