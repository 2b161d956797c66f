"""``trunkline nodes``: machines that carry out commands for the gateway's clients."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer

from ops.actions.ask import ask, show
from ops.commands.options import Json, Timeout, Token, Url, command_app
from ops.output.stdout import show_json

app = command_app("List, approve and use nodes.")

Node = Annotated[str, typer.Argument(metavar="NODE", help="Id of the node.")]
Request = Annotated[str, typer.Argument(metavar="REQUEST", help="Id of the request.")]
COLUMNS = {
    "node": "nodeId",
    "name": "displayName",
    "platform": "platform",
    "version": "version",
    "paired": "paired",
    "connected": "connected",
    "commands": "commands",
}


@app.command()
def status(
    context: typer.Context, json: Json = False, url: Url = None, token: Token = None
) -> None:
    """Show every node that is connected or approved."""
    answer = ask(context, "node.list", {}, url, token)
    show(answer, answer["nodes"], COLUMNS, json=json)


@app.command("list")
def list_(context: typer.Context, json: Json = False, url: Url = None, token: Token = None) -> None:
    """Show the nodes that wait for approval and those that have it."""
    answer = ask(context, "node.pair.list", {}, url, token)
    rows = [{**row, "state": "waits"} for row in answer["pending"]]
    rows += [{**row, "state": "approved"} for row in answer["paired"]]
    columns = {"state": "state", "request": "requestId", "node": "nodeId", "platform": "platform"}
    show(answer, rows, columns | {"commands": "commands"}, json=json)


@app.command()
def describe(
    context: typer.Context, node: Node, json: Json = False, url: Url = None, token: Token = None
) -> None:
    """Show one node."""
    show_json(ask(context, "node.describe", {"nodeId": node}, url, token))


@app.command()
def approve(
    context: typer.Context,
    request: Request,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Approve what a node offers."""
    _do(ask(context, "node.pair.approve", {"requestId": request}, url, token), "approved", json)


@app.command()
def reject(
    context: typer.Context,
    request: Request,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Refuse it."""
    _do(ask(context, "node.pair.reject", {"requestId": request}, url, token), "rejected", json)


@app.command()
def remove(
    context: typer.Context, node: Node, json: Json = False, url: Url = None, token: Token = None
) -> None:
    """Forget a node."""
    _do(ask(context, "node.pair.remove", {"nodeId": node}, url, token), "removed", json)


@app.command()
def rename(
    context: typer.Context,
    node: Node,
    name: str,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Give a node a name."""
    params = {"nodeId": node, "displayName": name}
    _do(ask(context, "node.rename", params, url, token), "renamed", json)


@app.command()
def invoke(
    context: typer.Context,
    node: Node,
    command: str,
    params: Annotated[str, typer.Option(help="Parameters, as JSON.")] = "{}",
    timeout: Timeout = 30.0,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Have a node carry out a command, and print what it says."""
    from ops.commands.gateway import object_of

    given: dict[str, Any] = {"nodeId": node, "command": command, "params": object_of(params)}
    given |= {"idempotencyKey": str(uuid.uuid4()), "timeoutMs": int(timeout * 1000)}
    show_json(ask(context, "node.invoke", given, url, token, timeout + 5.0))


def _do(answer: Any, done: str, json: bool) -> None:
    if json:
        show_json(answer)
    else:
        print(done)
