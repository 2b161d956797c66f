"""Defines the commands ``trunkline hooks …``: show what hooks would do. No daemon is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ops.commands.option_groups import LocalOptions, command
from ops.commands.options import command_app
from ops.exits import OperatorError, UsageFailure
from ops.output.show import show_json

app = command_app("Show what an HTTP request to a hook would do.")

HookName = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="Name of a hook, the path below /hooks/: wake, agent, github."
    ),
]
BodyFile = Annotated[str, typer.Option("--body", metavar="FILE", help="The body of the request.")]
Header = Annotated[
    list[str] | None,
    typer.Option("--header", metavar="NAME:VALUE", help="A header of the request; repeatable."),
]
Query = Annotated[
    list[str] | None,
    typer.Option("--query", metavar="NAME=VALUE", help="A parameter of its address; repeatable."),
]


@app.callback()
def hooks() -> None:
    """Show what an HTTP request to a hook would do."""


@command(app, "test")
def try_(
    *,
    name: HookName,
    body: BodyFile,
    header: Header = None,
    query: Query = None,
    options: LocalOptions,
) -> None:
    """Print the event or the turn that a request to a hook would cause. Nothing is executed.

    Exits 1 if the request would be refused.

    Examples:
        trunkline hooks test github --body push.json --header 'X-GitHub-Event: push'
    """
    import msgspec

    from ops.actions.hooks import made_of
    from ops.connect.configuration import load_as_up_does

    try:
        data = Path(body).read_bytes()
    except OSError as error:
        raise OperatorError(f"--body {body}: {error.strerror}") from None
    headers = {key.lower(): value for key, value in _pairs("--header", header, ":").items()}
    found = load_as_up_does(options.target)
    made = made_of(found, name.strip("/"), data, headers, _pairs("--query", query, "="))
    show_json(msgspec.to_builtins(made))


def _pairs(option: str, given: list[str] | None, mark: str) -> dict[str, Any]:
    pairs = [each.partition(mark) for each in given or ()]
    for key, found, _ in pairs:
        if not found or not key.strip():
            raise UsageFailure(f"{option} {key}: allowed: NAME{mark}VALUE")
    return {key.strip(): value.strip() for key, _, value in pairs}
