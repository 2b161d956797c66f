"""Defines the command ``trunkline message send``, which sends one message through an account."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ops.commands.gateway_calls import call_gateway
from ops.commands.option_groups import RuntimeOptions, command
from ops.commands.options import Timeout, command_app
from ops.connect.selection import split
from ops.exits import UsageFailure
from ops.output.show import show_json
from ops.output.text import clean

_ADDRESS = re.compile(r"(https?|file|data|media):", re.IGNORECASE)

app = command_app("Send a message through an account.")


@app.callback()
def message() -> None:
    """Send a message through an account."""


@dataclass(frozen=True)
class MessageOptions:
    """The message to send: its account, its destination and its content."""

    target: Annotated[
        str,
        typer.Option(
            "-t", "--target", metavar="CHAT", help="Chat or person, as the channel names it."
        ),
    ]
    text: Annotated[
        str, typer.Option("-m", "--message", metavar="TEXT", help="Text of the message.")
    ] = ""
    media: Annotated[
        list[str] | None,
        typer.Option(
            "--media",
            metavar="FILE|URL",
            help="A file of the daemon's host, or its address; repeatable.",
        ),
    ] = None
    account: Annotated[
        str,
        typer.Option(metavar="KEY", help="Account, like irc:libera; with --channel only its name."),
    ] = ""
    channel: Annotated[
        str | None, typer.Option(metavar="CHANNEL", help="Channel, if --account is only a name.")
    ] = None
    thread: Annotated[
        str | None, typer.Option(metavar="ID", help="Thread or topic in the chat.")
    ] = None
    reply_to: Annotated[
        str | None, typer.Option(metavar="ID", help="Message that it replies to.")
    ] = None
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The message is Markdown: render it.")
    ] = False
    key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key",
            metavar="KEY",
            help="A message with the same key is sent only once.",
        ),
    ] = None
    queue: Annotated[
        bool,
        typer.Option(
            "--queue", help="Do not wait; it is sent when that is possible, within a day."
        ),
    ] = False

    def params(self) -> dict[str, Any]:
        """Return the params of the method ``send``; raises ``UsageFailure``."""
        if not self.text and not self.media:
            raise UsageFailure("say --message or --media")
        params: dict[str, Any] = self._account_params() | {
            "to": self.target,
            "message": self.text,
            "idempotencyKey": self.key or str(uuid.uuid4()),
        }
        if self.media:
            params["mediaUrls"] = [address_of(each) for each in self.media]
        markup = "markdown" if self.markdown else None
        optional = (("threadId", self.thread), ("replyToId", self.reply_to), ("markup", markup))
        given = {name: value for name, value in optional if value is not None}
        return params | given | ({"queue": True} if self.queue else {})

    def _account_params(self) -> dict[str, str]:
        """Return channel and account id from either spelling."""
        channel, account = self.channel, self.account
        if channel is None:
            if not account:
                raise UsageFailure("say --account KEY (irc:libera), or --channel and --account")
            channel, account = split(account)
        elif ":" in account:
            named, account = split(account)
            if named != channel:
                raise UsageFailure(f"--channel {channel} and --account {named}:{account} differ")
        return {"channel": channel} | ({"accountId": account} if account else {})


def address_of(media: str) -> str:
    """Return a URL unchanged, and a path as a ``file:`` URL.

    The account's worker opens it, if it is below ``media.allow``.
    """
    if _ADDRESS.match(media):
        return media
    return Path(media).expanduser().absolute().as_uri()


@command(app)
def send(*, message: MessageOptions, timeout: Timeout = 30.0, options: RuntimeOptions) -> None:
    """Send a message; exits 0 once the platform has accepted it, with --queue once it is stored.

    Examples:
        trunkline message send --account irc:libera --target '#team' -m 'Back at 9'
        trunkline message send --account telegram:main --target 812345678 \\
            --media report.pdf
    """
    sent = call_gateway(options, "send", message.params(), timeout)
    if options.json:
        show_json(sent)
    elif message.queue:
        print(clean(f"queued ({sent.get('outboxId')})"))
    else:
        print(clean(f"sent ({sent.get('messageId') or sent.get('runId')})"))
