"""Defines the command ``trunkline agent``, which asks an agent and prints its answer."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from ops.commands.option_groups import RuntimeOptions, command
from ops.commands.options import command_app
from ops.exits import UsageFailure

app = command_app("Ask an agent.")


@dataclass(frozen=True)
class Question:
    """The options of a question: its agent, its session, and where the answer is also sent."""

    message: Annotated[str, typer.Option("-m", "--message", metavar="TEXT", help="The question.")]
    agent: Annotated[str | None, typer.Option(metavar="ID", help="Agent, like main.")] = None
    session: Annotated[
        str | None,
        typer.Option(
            "--session", metavar="KEY", help="Key of a conversation, or a name that you choose."
        ),
    ] = None
    to: Annotated[
        str | None,
        typer.Option(metavar="CHAT", help="In the conversation of this chat, with --channel."),
    ] = None
    channel: Annotated[str | None, typer.Option(metavar="CHANNEL", help="Channel of --to.")] = None
    deliver: Annotated[
        bool,
        typer.Option("--deliver", help="Send the answer to the chat, too (--to, or --reply-to)."),
    ] = False
    reply_channel: Annotated[
        str | None, typer.Option(metavar="CHANNEL", help="Channel that --deliver sends through.")
    ] = None
    reply_account: Annotated[
        str | None, typer.Option(metavar="ACCOUNT", help="Account of that channel, by its name.")
    ] = None
    reply_to: Annotated[
        str | None, typer.Option(metavar="CHAT", help="Chat that --deliver sends to.")
    ] = None
    key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key",
            metavar="KEY",
            help="A question with the same key is asked only once.",
        ),
    ] = None

    def params(self, timeout: float) -> dict[str, Any]:
        """Return the params of the method ``agent``; raises ``UsageFailure``."""
        if self.channel is not None and self.to is None:
            raise UsageFailure("--channel is that of --to: say the chat, too")
        if self.deliver and not (self.reply_to or self.to):
            raise UsageFailure("--deliver needs a chat: say --reply-to, and --reply-channel")
        if not self.deliver and (self.reply_channel or self.reply_to or self.reply_account):
            raise UsageFailure("--reply-channel, --reply-account and --reply-to need --deliver")
        optional = {
            "agentId": self.agent,
            "sessionKey": self.session,
            "to": self.to,
            "channel": self.channel,
            "replyChannel": self.reply_channel,
            "replyAccountId": self.reply_account,
            "replyTo": self.reply_to,
        }
        given = {name: value for name, value in optional.items() if value is not None}
        if not {"agentId", "sessionKey", "to", "replyTo"} & set(given):
            raise UsageFailure("say --agent, --session or --to: whom to ask, and where")
        return given | {
            "message": self.message,
            "deliver": self.deliver,
            "timeout": max(1, round(timeout)),
            "idempotencyKey": self.key or str(uuid.uuid4()),
        }


@command(app)
def agent(
    *,
    question: Question,
    stream: Annotated[
        bool, typer.Option("--stream", help="Print the answer while it is written.")
    ] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Print the id of the run, and end.")
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", metavar="SECONDS", min=0.001, help="How long to wait for the answer."
        ),
    ] = 600.0,
    options: RuntimeOptions,
) -> None:
    """Ask an agent and print its answer; exits 1 when there is none, 4 when it takes too long.

    Examples:
        trunkline agent --agent main --message 'What is due today?'
        trunkline agent --channel irc --to '#team' -m 'Sum up the day' --deliver
    """
    from ops.actions.agent import Asking, ask_agent

    if stream and (no_wait or options.json):
        raise UsageFailure("--stream goes with neither --no-wait nor --json")
    asking = Asking(stream=stream, wait=not no_wait, timeout=timeout, as_json=options.json)
    ask_agent(options.target, question.params(timeout), asking)
