"""Defines the commands that follow accounts: ``watch``, ``logs``, ``chat``, ``wait``."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.commands.option_groups import (
    LineSelection,
    LocalOptions,
    RuntimeOptions,
    command,
)
from ops.commands.options import All, Keys, Names, command_app
from ops.connect.target import RuntimeTarget
from ops.output.show import show_json

app = command_app()


@command(app)
def watch(*, keys: Keys = None, options: RuntimeOptions) -> None:
    """Print what happens to accounts and the gateway, and every message, until Ctrl-C.

    Exits 0 after Ctrl-C or when the daemon is stopped, 3 when it is lost.

    Examples:
        trunkline watch irc
        trunkline watch --json
    """
    from ops.actions.watch import watch_accounts

    watch_accounts(options.target, keys or [], as_json=options.json)


@app.command()
def top(context: typer.Context) -> None:
    """Show all accounts on the whole terminal, the worst first; keys start, stop and restart them.

    j and k choose, s starts, x stops, r restarts, l shows the log, q ends.
    """
    from ops.actions.top import show_top

    show_top(RuntimeTarget(context.find_root().params))


@command(app)
def logs(*, names: Names = None, selection: LineSelection, options: RuntimeOptions) -> None:
    """Print the logs of the supervisor, the gateway and the accounts as one stream.

    With --follow it exits 0 after Ctrl-C or when the daemon is stopped, 3 when that is lost.

    Examples:
        trunkline logs irc:libera --follow
        trunkline logs gateway --since 2h --grep 'refused|closed'
    """
    from ops.actions.logs import print_logs

    print_logs(options.target, selection.wanted(names or []), as_json=options.json)


@command(app)
def chat(
    *,
    key: Annotated[str, typer.Argument(metavar="KEY", help="Account, like local:demo.")],
    message: Annotated[
        str | None,
        typer.Option(
            "-m", "--message", metavar="TEXT", help="Send this message, print the answer, and end."
        ),
    ] = None,
    nick: Annotated[
        str | None, typer.Option(metavar="NAME", help="Your name in the chat; else a new one.")
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0.001, help="How long to wait for an answer, without a terminal."
        ),
    ] = 10.0,
    options: LocalOptions,
) -> None:
    """Talk to an account of the local channel: a line is a message, Ctrl-D ends.

    Reads standard input; when that is not a terminal, ends once every line was answered,
    and exits 4 when an answer does not come. With --json each answer is an object on a line.

    Examples:
        trunkline chat local:demo
        trunkline chat local:demo --message 'Hello'
    """
    from ops.actions.chat import ChatOptions, chat_with, is_nick
    from ops.connect.selection import split
    from ops.exits import UsageFailure

    split(key)
    if nick is not None and not is_nick(nick):
        raise UsageFailure(f"--nick {nick!r} cannot be a name; allowed: one word, like ann")
    chat_with(options.target, key, ChatOptions(nick, message, timeout, options.json))


@command(app)
def wait(
    *,
    keys: Keys = None,
    goal: Annotated[
        str, typer.Option("--for", metavar="running|stopped", help="What to wait for.")
    ] = "running",
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.001, help="How long to wait.")
    ] = 30.0,
    everything: All = False,
    options: RuntimeOptions,
) -> None:
    """Wait until accounts are running or stopped.

    Exits 4 when the time is over, and 1 as soon as an account has failed for good.

    Examples:
        trunkline wait --all --timeout 60
        trunkline wait irc:libera --for stopped
    """
    from ops.actions.wait import Goal, wait_for
    from ops.connect.selection import targets

    rows = wait_for(options.target, targets(keys, everything), Goal(goal), timeout)
    if options.json:
        show_json({"accounts": rows})
