"""Defines the commands ``trunkline devices …``: manage devices and their tokens."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.commands.gateway_calls import call_and_show, call_gateway
from ops.commands.option_groups import RuntimeOptions, command
from ops.commands.options import command_app
from ops.output.show import show_fields, show_json

app = command_app(
    "Decide which devices may connect to the gateway: approve them, replace and revoke tokens."
)

Device = Annotated[
    str, typer.Argument(metavar="DEVICE", help="Id of a device, as `devices list` shows it.")
]
Request = Annotated[
    str, typer.Argument(metavar="REQUEST", help="Id of a request, as `devices list` shows it.")
]
Role = Annotated[str, typer.Option(metavar="operator|node", help="Role of the token.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name from now on.")]
COLUMNS = {
    "state": "state",
    "request": "requestId",
    "device": "deviceId",
    "name": "displayName",
    "roles": "roles",
}


@command(app, "list")
def list_(*, options: RuntimeOptions) -> None:
    """Show the devices that wait and those that are paired."""
    answer = call_gateway(options, "device.pair.list", {})
    if options.json:
        show_json(answer)
        return
    rows = [{**row, "state": "waits"} for row in answer["pending"]]
    rows += [{**row, "state": "paired"} for row in answer["paired"]]
    for row in rows:
        row["displayName"] = row.get("operatorLabel") or row.get("displayName")
    show_fields(rows, COLUMNS)


@command(app)
def approve(*, request: Request, options: RuntimeOptions) -> None:
    """Approve a device that waits, with the role and scopes it asked for.

    Examples:
        trunkline devices approve 5f0c1d2e
    """
    _decide(options, "device.pair.approve", {"requestId": request}, "approved")


@command(app)
def reject(*, request: Request, options: RuntimeOptions) -> None:
    """Reject the request of a device; it may ask again.

    Examples:
        trunkline devices reject 5f0c1d2e
    """
    _decide(options, "device.pair.reject", {"requestId": request}, "rejected")


@command(app)
def remove(*, device: Device, options: RuntimeOptions) -> None:
    """Remove a device and its tokens.

    Examples:
        trunkline devices remove 9b1deb4d
    """
    _decide(options, "device.pair.remove", {"deviceId": device}, "removed")


@command(app)
def rename(*, device: Device, name: Name, options: RuntimeOptions) -> None:
    """Set the name of a paired device.

    Examples:
        trunkline devices rename 9b1deb4d 'phone of Ann'
    """
    _decide(options, "device.pair.rename", {"deviceId": device, "label": name}, "renamed")


@command(app)
def rotate(*, device: Device, role: Role = "operator", options: RuntimeOptions) -> None:
    """Replace a device's token: the old one ends, and the device has to be paired again.

    Examples:
        trunkline devices rotate 9b1deb4d
    """
    _decide(options, "device.token.rotate", {"deviceId": device, "role": role}, "rotated")


@command(app)
def revoke(*, device: Device, role: Role = "operator", options: RuntimeOptions) -> None:
    """Revoke a device's token: it cannot connect until it is paired again.

    Examples:
        trunkline devices revoke 9b1deb4d --role node
    """
    _decide(options, "device.token.revoke", {"deviceId": device, "role": role}, "revoked")


def _decide(options: RuntimeOptions, method: str, params: dict[str, str], done: str) -> None:
    call_and_show(options, method, params, done, listed_by="devices list")
