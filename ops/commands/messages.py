"""Defines the command ``trunkline messages forget``, which erases what is stored of a person."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ops.commands.gateway_calls import call_gateway
from ops.commands.option_groups import RuntimeOptions, command
from ops.commands.options import command_app
from ops.exits import OperatorError
from ops.output.show import show_json

app = command_app("Erase what is stored of a person.")

Sender = Annotated[
    str, typer.Option("--sender", metavar="ID", help="Id of the person, as the channel names it.")
]
Account = Annotated[
    str | None, typer.Option(metavar="KEY", help="Only in this account, like irc:libera.")
]


@app.callback()
def messages() -> None:
    """Erase what is stored of a person."""


@command(app)
def forget(*, sender: Sender, account: Account = None, options: RuntimeOptions) -> None:
    """Erase a person's messages, direct chats, files and approval from the journal, permanently.

    Exits 1 if something is left: it is being sent, or the disk has no room to rebuild the journal.

    Examples:
        trunkline messages forget --sender 812345678 --account telegram:main
    """
    params = {"sender": sender} | ({"account": account} if account else {})
    answer = call_gateway(options, "messages.forget", params)
    if options.json:
        show_json(answer)
    else:
        print(_describe(answer))
    if answer["underWay"] or not answer["cleaned"]:
        raise OperatorError(_left(answer))


def _describe(answer: dict[str, Any]) -> str:
    """Describe what was erased, and what still contains it."""
    text = (
        f"erased: {answer['messages']} messages, {answer['sends']} sends, {answer['files']} files,"
        f" {answer['people']} approvals, {answer['sessions']} sessions, {answer['entries']} entries"
        f" of transcripts"
    )
    if answer["givenUp"]:
        text += f"; {answer['givenUp']} messages that waited will not be sent"
    if answer["copies"]:
        text += f"\n{answer['copies']} copies of the journal hold it still: remove them, or wait"
    return text


def _left(answer: dict[str, Any]) -> str:
    if answer["underWay"]:
        return f"{answer['underWay']} messages are being sent: run it again when they are over"
    return "the disk has no room to rebuild the journal, so its file may keep it: run it again"
