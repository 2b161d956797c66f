"""Defines the commands ``trunkline nodes …``: manage nodes, which run commands for clients."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer

from ops.commands.gateway_calls import call_and_show, call_gateway
from ops.commands.option_groups import RuntimeOptions, command
from ops.commands.options import Timeout, command_app, json_object
from ops.output.show import show_fields, show_json

app = command_app(
    "List, approve and use nodes: devices that run commands for the gateway's clients."
)

Node = Annotated[
    str, typer.Argument(metavar="NODE", help="Id of a node, as `nodes status` shows it.")
]
Request = Annotated[
    str, typer.Argument(metavar="REQUEST", help="Id of a request, as `nodes list` shows it.")
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name from now on.")]
NODES = "nodes status"  # the command that lists them
COLUMNS = {
    "node": "nodeId",
    "name": "displayName",
    "platform": "platform",
    "version": "version",
    "paired": "paired",
    "connected": "connected",
    "commands": "commands",
}
PAIR_COLUMNS = {
    "state": "state",
    "request": "requestId",
    "node": "nodeId",
    "platform": "platform",
    "commands": "commands",
}


@command(app)
def status(*, options: RuntimeOptions) -> None:
    """Show every node that is connected or approved."""
    answer = call_gateway(options, "node.list", {})
    if options.json:
        show_json(answer)
    else:
        show_fields(answer["nodes"], COLUMNS)


@command(app, "list")
def list_(*, options: RuntimeOptions) -> None:
    """Show the nodes that wait for approval and those that have it."""
    answer = call_gateway(options, "node.pair.list", {})
    if options.json:
        show_json(answer)
        return
    rows = [{**row, "state": "waits"} for row in answer["pending"]]
    rows += [{**row, "state": "approved"} for row in answer["paired"]]
    show_fields(rows, PAIR_COLUMNS)


@command(app)
def describe(*, node: Node, options: RuntimeOptions) -> None:
    """Show one node, as JSON.

    Examples:
        trunkline nodes describe 4f1c2a
    """
    answer = call_gateway(options, "node.describe", {"nodeId": node}, listed_by=NODES)
    show_json(answer)


@command(app)
def approve(*, request: Request, options: RuntimeOptions) -> None:
    """Approve the commands that a node offers.

    Examples:
        trunkline nodes approve 5f0c1d2e
    """
    _decide(options, "node.pair.approve", {"requestId": request}, "approved", "nodes list")


@command(app)
def reject(*, request: Request, options: RuntimeOptions) -> None:
    """Reject the commands that a node offers; it may ask again.

    Examples:
        trunkline nodes reject 5f0c1d2e
    """
    _decide(options, "node.pair.reject", {"requestId": request}, "rejected", "nodes list")


@command(app)
def remove(*, node: Node, options: RuntimeOptions) -> None:
    """Remove a node: it must ask for approval again.

    Examples:
        trunkline nodes remove 4f1c2a
    """
    _decide(options, "node.pair.remove", {"nodeId": node}, "removed")


@command(app)
def rename(*, node: Node, name: Name, options: RuntimeOptions) -> None:
    """Set the name of a node.

    Examples:
        trunkline nodes rename 4f1c2a 'camera at the door'
    """
    _decide(options, "node.rename", {"nodeId": node, "displayName": name}, "renamed")


@command(app)
def invoke(
    *,
    node: Node,
    command: Annotated[
        str, typer.Argument(metavar="COMMAND", help="One of those that `nodes describe` shows.")
    ],
    params: Annotated[
        str, typer.Option(metavar="JSON", help="Parameters of it, as a JSON object.")
    ] = "{}",
    timeout: Timeout = 30.0,
    options: RuntimeOptions,
) -> None:
    """Execute a command on a node, and print its result as JSON.

    Examples:
        trunkline nodes invoke 4f1c2a device.info
        trunkline nodes invoke 4f1c2a camera.snap --params '{"facing": "back"}'
    """
    given: dict[str, Any] = {"nodeId": node, "command": command, "params": json_object(params)}
    given |= {"idempotencyKey": str(uuid.uuid4()), "timeoutMs": int(timeout * 1000)}
    show_json(call_gateway(options, "node.invoke", given, timeout + 5.0, listed_by=NODES))


def _decide(
    options: RuntimeOptions, method: str, params: dict[str, str], done: str, listed_by: str = NODES
) -> None:
    call_and_show(options, method, params, done, listed_by=listed_by)
