"""Reads the ``connect`` request and negotiates the protocol. Pure.

Refusals use the words of the real gateway. Secrets are checked in ``auth``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ipc.frames.websocket import ErrorShape, Request, explain
from ipc.frames.words import INVALID_REQUEST
from ipc.hidden_fields import hide_fields
from runtime.gateway.access.auth import ConnectClaim
from runtime.gateway.access.refusals import Refusal, invalid
from runtime.gateway.access.scopes import NODE, OPERATOR

OLDEST, NEWEST = 3, 4

ClientId = Literal[
    "webchat-ui", "openclaw-control-ui", "openclaw-browser-copilot", "openclaw-tui", "webchat",
    "cli", "gateway-client", "openclaw-macos", "openclaw-linux", "openclaw-ios",
    "openclaw-watchos", "openclaw-android", "node-host", "openclaw-worker", "test",
    "fingerprint", "openclaw-probe",
]  # fmt: skip
Mode = Literal["webchat", "cli", "ui", "backend", "node", "worker", "probe", "test"]
Text = Annotated[str, Meta(min_length=1, max_length=512)]
Short = Annotated[str, Meta(max_length=96)]
Names = Annotated[list[Annotated[str, Meta(max_length=128)]], Meta(max_length=1024)]
Protocol = Annotated[int, Meta(ge=1)]


class _Strict(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    pass


class ClientInfo(_Strict):
    """The program that connects."""

    id: ClientId
    version: Text
    platform: Text
    mode: Mode
    display_name: str | UnsetType = UNSET
    build_id: Short | UnsetType = UNSET
    device_family: str | UnsetType = UNSET
    model_identifier: str | UnsetType = UNSET
    time_zone: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    instance_id: str | UnsetType = UNSET


@hide_fields(
    "token",
    "bootstrap_token",
    "device_token",
    "password",
    "approval_runtime_token",
    "agent_runtime_identity_token",
)
class AuthParams(_Strict):
    """The secrets of a ``connect``.

    A shared secret may come as token or as password, a device's token in either token field.
    """

    token: str | UnsetType = UNSET
    bootstrap_token: str | UnsetType = UNSET
    device_token: str | UnsetType = UNSET
    password: str | UnsetType = UNSET
    approval_runtime_token: str | UnsetType = UNSET
    agent_runtime_identity_token: str | UnsetType = UNSET


class SignedDevice(_Strict):
    """A device identity with its signature."""

    id: Text
    public_key: Text
    signature: Text
    signed_at: int
    nonce: Text


class Connect(_Strict):
    """The params of ``connect``."""

    min_protocol: Protocol
    max_protocol: Protocol
    client: ClientInfo
    caps: Names = []
    commands: Names = []
    permissions: dict[str, bool] = {}
    path_env: str | UnsetType = UNSET
    role: str = OPERATOR
    scopes: Names = []
    locale: str | UnsetType = UNSET
    user_agent: str | UnsetType = UNSET
    computer_use: Any = UNSET
    worker_runs: Any = UNSET
    auth: AuthParams | UnsetType = UNSET
    device: SignedDevice | UnsetType = UNSET


_decode = msgspec.json.Decoder(Connect).decode


def read_connect(request: Request) -> Connect:
    """Return the params of a ``connect``; raise ``Refusal`` for any other or malformed request."""
    if request.method != "connect":
        raise invalid("invalid handshake: first request must be connect")
    try:
        return _decode(b"{}" if request.params is UNSET else request.params)
    except msgspec.ValidationError as error:
        raise invalid(f"invalid connect params: {explain(error)}") from None
    except (msgspec.DecodeError, RecursionError):
        raise invalid("invalid connect params: at root: must be object") from None


def negotiate(connect: Connect) -> int:
    """Return the highest protocol that both sides speak; raise ``Refusal`` when there is none."""
    chosen = min(connect.max_protocol, NEWEST)
    if max(connect.min_protocol, OLDEST) <= chosen:
        return chosen
    details = {
        "code": "PROTOCOL_MISMATCH",
        "clientMinProtocol": connect.min_protocol,
        "clientMaxProtocol": connect.max_protocol,
        "expectedProtocol": NEWEST,
        "minimumProbeProtocol": OLDEST,
    }
    raise Refusal(ErrorShape(INVALID_REQUEST, "protocol mismatch", details), code=1002)


def claim_of(connect: Connect, protocol: int) -> ConnectClaim:
    """Return the claim of a ``connect``; raise ``Refusal`` for a role that does not exist."""
    if connect.role not in (OPERATOR, NODE):
        raise invalid("invalid role")
    auth = AuthParams() if connect.auth is UNSET else connect.auth
    return ConnectClaim(
        client=connect.client.id,
        mode=connect.client.mode,
        role=connect.role,
        scopes=tuple(connect.scopes),
        token=auth.token or None,
        password=auth.password or None,
        device_token=auth.device_token or None,
        protocol=protocol,
        bootstrap_token=auth.bootstrap_token or None,
    )
