"""``trunkline chat KEY``: a person talks to an account of the local channel."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.commands.options import Json, command_app
from ops.connect.selection import split
from ops.connect.target import here

app = command_app()


@app.command()
def chat(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="Account, like local:demo.")],
    message: Annotated[
        str | None, typer.Option("-m", "--message", help="Say this, print the answer, end.")
    ] = None,
    nick: Annotated[str | None, typer.Option(help="Your name in the chat.")] = None,
    timeout: Annotated[
        float, typer.Option(min=0.001, help="Seconds to wait for an answer, without a terminal.")
    ] = 10.0,
    json: Json = False,
) -> None:
    """Talk to an account of the local channel: a line is a message, Ctrl-D ends.

    Reads standard input; when that is not a terminal, ends once every line was answered,
    and exits 4 when an answer does not come. With --json each answer is an object on a line.
    """
    from ops.actions.chat import Chat
    from ops.connect import supervisor as clients

    split(key)
    try:
        talk = Chat(here(context), key, nick=nick, message=message, timeout=timeout, as_json=json)
        clients.run(talk.run())
    except KeyboardInterrupt:
        if not json:
            print()
