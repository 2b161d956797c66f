"""``trunkline devices``: who may connect, and with which tokens."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ops.actions.ask import ask, show
from ops.commands.options import Json, Token, Url, command_app
from ops.output.stdout import show_json

app = command_app("List and approve devices, rotate and revoke their tokens.")

Device = Annotated[str, typer.Argument(metavar="DEVICE", help="Id of the device.")]
Request = Annotated[str, typer.Argument(metavar="REQUEST", help="Id of the request.")]
Role = Annotated[str, typer.Option(help="Role of the token.")]


@app.command("list")
def list_(context: typer.Context, json: Json = False, url: Url = None, token: Token = None) -> None:
    """Show the devices that wait and those that are paired."""
    answer = ask(context, "device.pair.list", {}, url, token)
    rows = [{**row, "state": "waits"} for row in answer["pending"]]
    rows += [{**row, "state": "paired"} for row in answer["paired"]]
    for row in rows:
        row["displayName"] = row.get("operatorLabel") or row.get("displayName")
    columns = {"state": "state", "request": "requestId", "device": "deviceId"}
    show(answer, rows, columns | {"name": "displayName", "roles": "roles"}, json=json)


@app.command()
def approve(
    context: typer.Context,
    request: Request,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Let a device in."""
    _do(context, "device.pair.approve", {"requestId": request}, "approved", json, url, token)


@app.command()
def reject(
    context: typer.Context,
    request: Request,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Send a device away."""
    _do(context, "device.pair.reject", {"requestId": request}, "rejected", json, url, token)


@app.command()
def remove(
    context: typer.Context, device: Device, json: Json = False, url: Url = None, token: Token = None
) -> None:
    """Forget a device and its tokens."""
    _do(context, "device.pair.remove", {"deviceId": device}, "removed", json, url, token)


@app.command()
def rename(
    context: typer.Context,
    device: Device,
    name: str,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Give a paired device a name."""
    params = {"deviceId": device, "label": name}
    _do(context, "device.pair.rename", params, "renamed", json, url, token)


@app.command()
def rotate(
    context: typer.Context,
    device: Device,
    role: Role = "operator",
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Replace a device's token."""
    params = {"deviceId": device, "role": role}
    _do(context, "device.token.rotate", params, "rotated", json, url, token)


@app.command()
def revoke(
    context: typer.Context,
    device: Device,
    role: Role = "operator",
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Make a device's token worthless."""
    params = {"deviceId": device, "role": role}
    _do(context, "device.token.revoke", params, "revoked", json, url, token)


def _do(
    context: typer.Context,
    method: str,
    params: dict[str, Any],
    done: str,
    json: bool,
    url: str | None,
    token: str | None,
) -> None:
    answer = ask(context, method, params, url, token)
    if json:
        show_json(answer)
    else:
        print(done)
