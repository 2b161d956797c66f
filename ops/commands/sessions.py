"""Defines the commands ``trunkline sessions …``: manage conversations with agents."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from ipc.permissions import reason
from ops.commands.gateway_calls import call_gateway, show_done
from ops.commands.option_groups import RuntimeOptions, command
from ops.commands.options import command_app
from ops.exits import OperatorError, UsageFailure
from ops.output.show import show_fields, show_json, show_rest

app = command_app("List conversations with agents; read, export, reset or delete them.")

SessionKey = Annotated[
    str, typer.Argument(metavar="KEY", help="Key of a conversation, as `sessions list` shows it.")
]
AgentId = Annotated[
    str | None, typer.Option("--agent", metavar="ID", help="Only those of this agent.")
]
Search = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Only those with this text in the key or the label."),
]
Active = Annotated[
    int | None,
    typer.Option(metavar="MINUTES", help="Only those that changed in the last MINUTES.", min=1),
]
Limit = Annotated[
    int,
    typer.Option("-n", "--limit", metavar="COUNT", help="Show so many at most.", min=1, max=1000),
]
Entries = Annotated[
    int,
    typer.Option("-n", "--entries", metavar="COUNT", help="Only so many last entries.", min=1),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for a confirmation.")]
Format = Annotated[
    str,
    typer.Option(
        "--format", metavar="markdown|jsonl", help="jsonl: an object on a line for each entry."
    ),
]
LIST = "sessions list"  # the command that lists them
To = Annotated[
    str | None,
    typer.Option("--to", metavar="FILE", help="Write to this file instead of standard output."),
]
COLUMNS = {
    "key": "key",
    "kind": "classification",
    "label": "label",
    "messages": "messageCount",
    "tokens": "totalTokens",
    "status": "status",
    "last": "last",
}


@command(app, "list")
def list_(
    *,
    agent: AgentId = None,
    search: Search = None,
    active: Active = None,
    limit: Limit = 100,
    options: RuntimeOptions,
) -> None:
    """Show conversations, the most recently changed first.

    Examples:
        trunkline sessions list --active 60
        trunkline sessions list --agent main --search irc
    """
    from ops.output.text import age

    given = {"agentId": agent, "search": search, "activeMinutes": active}
    params = {"limit": limit} | {name: value for name, value in given.items() if value}
    answer = call_gateway(options, "sessions.list", params, rows="sessions")
    if options.json:
        show_json(answer)
        return
    now = time.time()
    rows = [{**row, "last": age(now - row["updatedAt"] / 1000)} for row in answer["sessions"]]
    show_fields(rows, COLUMNS)
    show_rest(answer["totalCount"], len(rows))


@command(app)
def show(*, key: SessionKey, entries: Entries = 50, options: RuntimeOptions) -> None:
    """Show the last entries of a conversation since its last reset.

    Examples:
        trunkline sessions show agent:main:main --entries 10
    """
    from ops.actions.sessions import read_session
    from ops.output.transcript import lines_of

    page = read_session(options.target, key, entries)
    if options.json:
        show_json(page)
    else:
        print("\n".join(lines_of(page["messages"])) or "no entries yet")


@command(app)
def export(
    *, key: SessionKey, format: Format = "markdown", to: To = None, options: RuntimeOptions
) -> None:
    """Write all entries of a conversation since its last reset, as Markdown or JSONL.

    Examples:
        trunkline sessions export agent:main:main --format jsonl --to talk.jsonl
    """
    from ops.actions.sessions import read_session
    from ops.output.transcript import jsonl_of, markdown_of

    page = read_session(options.target, key)
    rows = page["messages"]
    text = (
        jsonl_of(rows)
        if options.json or format == "jsonl"
        else markdown_of(page["sessionKey"], rows)
    )
    if to is None:
        sys.stdout.write(text)
        return
    try:
        path = Path(to)
        path.touch(mode=0o600)
        path.write_text(text)
    except OSError as error:
        raise OperatorError(f"{to}: {reason(error)}") from None
    print(f"{len(rows)} entries are in {to}")


@command(app)
def reset(*, key: SessionKey, options: RuntimeOptions) -> None:
    """Reset a conversation, as /new does: the agent forgets what was said before.

    Examples:
        trunkline sessions reset agent:main:main
    """
    found = call_gateway(options, "sessions.resolve", {"key": key}, listed_by=LIST)
    answer = call_gateway(options, "sessions.reset", {"key": found["key"]})
    show_done(options, answer, f"{found['key']} was reset")


@command(app)
def delete(*, key: SessionKey, yes: Yes = False, options: RuntimeOptions) -> None:
    """Delete a conversation with its transcript, permanently.

    Examples:
        trunkline sessions delete agent:main:irc:libera:channel:team --yes
    """
    found = call_gateway(options, "sessions.resolve", {"key": key}, listed_by=LIST)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageFailure(f"{found['key']} would be gone for good; --yes deletes it")
        typer.confirm(f"Delete {found['key']} with all that was said in it?", abort=True)
    answer = call_gateway(options, "sessions.delete", {"key": found["key"]})
    show_done(options, answer, f"{found['key']} is deleted")
