"""Defines the options that many commands share, and the typer app of a command module."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ops.exits import UsageFailure

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Url = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="OPENCLAW_GATEWAY_URL",
        help="Go through this gateway, like ws://host:port, instead of the local supervisor"
        " (OPENCLAW_GATEWAY_URL).",
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        metavar="TOKEN", help="The gateway's token, with --url (TRUNKLINE_GATEWAY_TOKEN)."
    ),
]
Timeout = Annotated[
    float,
    typer.Option("--timeout", metavar="SECONDS", min=0.001, help="How long to wait for an answer."),
]
Keys = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY…]", help="Accounts (irc:libera), or channels (irc)."),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME…]",
        help="Accounts, channels, agents (agent:main), supervisor or gateway; else all.",
    ),
]
Lines = Annotated[
    int, typer.Option("-n", "--lines", metavar="COUNT", min=0, help="Only the last COUNT lines.")
]
Follow = Annotated[
    bool, typer.Option("-f", "--follow", help="Keep printing new lines until Ctrl-C.")
]
Output = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="wide|json|yaml|name",
        help="Form of the output instead of a table.",
    ),
]
Sort = Annotated[
    str | None,
    typer.Option(
        "--sort",
        metavar="FIELD",
        help="Order of the rows: worst (the default), account, channel, phase, cause, uptime, rss,"
        " cpu, in, out, queued, dropped, failures or restarts.",
    ),
]
Filter = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="FIELD=VALUE",
        help="Only matching rows, like phase=backoff,channel=irc; `trunkline help filters`.",
    ),
]
Whole = Annotated[
    bool,
    typer.Option("--all", help="Show every row, also those that do not fit the terminal."),
]
Refresh = Annotated[bool, typer.Option("--watch", help="Repeat the table every two seconds.")]
Since = Annotated[
    str | None,
    typer.Option(
        metavar="AGE|TIME", help="Only what is newer: 30s, 5m, 2h, 3d, or 2026-12-24T18:00."
    ),
]
Grep = Annotated[
    str | None, typer.Option(metavar="REGEX", help="Only lines in which this is found.")
]
Reason = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Why it is stopped, for `channels holds`.")
]
Wait = Annotated[
    bool,
    typer.Option("--wait", help="Return when it runs, or has stopped; exit 4 if it takes longer."),
]
WaitTimeout = Annotated[
    float,
    typer.Option("--timeout", metavar="SECONDS", min=0.001, help="How long --wait waits at most."),
]
All = Annotated[bool, typer.Option("--all", help="Every account.")]


def command_app(help: str | None = None, cls: type[TyperGroup] = TyperGroup) -> typer.Typer:
    """Return a typer app with plain help and no tracebacks; ``cls`` is the class of its group."""
    return typer.Typer(
        help=help,
        cls=cls,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def json_object(text: str) -> dict[str, Any]:
    """Parse the value of ``--params``; exit 2 if it is not a JSON object."""
    from ipc.nesting import MALFORMED, decode_json

    try:
        return decode_json(text, dict[str, Any])
    except MALFORMED as error:
        raise UsageFailure(f"--params is not a JSON object: {error}") from None
