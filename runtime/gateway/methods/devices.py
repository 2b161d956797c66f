"""Manages which devices may connect, and their tokens: ``device.pair.*``, ``device.token.*``.

Without ``operator.admin`` a device manages only itself, and only as an operator.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import structlog
from msgspec import Meta

from ipc.epoch import now_ms
from ipc.errors import RemoteError
from ipc.frames.requests import NoParams, Params
from ipc.frames.words import INVALID_REQUEST
from runtime.gateway.access.scopes import ADMIN, ALL, OPERATOR, PAIRING, covers
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import Repeat, method
from runtime.gateway.device_pairing import announce_device_decision, device_named, invalidate
from runtime.gateway.devices.devices import Devices, PairRequest, is_operator, rows_of
from runtime.gateway.devices.registry import Device
from runtime.gateway.methods.asking import changes, claimed, person_behind
from runtime.gateway.parts import GatewayParts

log = structlog.get_logger("gateway.devices")

Word = Annotated[str, Meta(min_length=1, max_length=512)]


class DeviceRequestParams(Params):
    """The params that name one pairing request."""

    request_id: Word


class DeviceParams(Params):
    """The params that name one paired device."""

    device_id: Word


class LabelParams(Params):
    """The params of ``device.pair.rename``: a paired device and its new name."""

    device_id: Word
    label: Annotated[str, Meta(min_length=1, max_length=64)]


class RevokeParams(Params):
    """The params that name a device's token of one role."""

    device_id: Word
    role: Word


class RotateParams(Params):
    """The params of ``device.token.rotate``; without ``scopes`` the new token has the old ones."""

    device_id: Word
    role: Word
    scopes: Annotated[list[Word], Meta(max_length=64)] | None = None


@method("device.pair.list", PAIRING, NoParams, repeat=Repeat.ALWAYS)
def device_pair_list(parts: GatewayParts, client: ConnectedClient, params: NoParams) -> Any:
    """Answer with the devices that wait for approval and the paired ones."""
    devices = parts.devices
    connected = {other.device for other in parts.hub.clients}
    pending, paired = devices.pending(now_ms()), devices.paired()
    return {
        "pending": [each for each in pending if _manages(client, each.device_id)],
        "paired": [
            _shown(each) | {"connected": each.device_id in connected}
            for each in paired
            if _manages(client, each.device_id)
        ],
    }


@method("device.pair.approve", PAIRING, DeviceRequestParams)
@changes(lambda params, answer: f"{device_named(answer['device']['deviceId'])} was approved")
async def device_pair_approve(
    parts: GatewayParts, client: ConnectedClient, params: DeviceRequestParams
) -> Any:
    """Approve a device with the role and scopes that it requested. The approver must have them,
    too.
    """
    devices = parts.devices
    request = devices.find_request(params.request_id, now_ms())
    if not client.covers(ADMIN):
        own = request is not None and _manages(client, request.device_id)
        if request is None or not own or not is_operator(request.roles):
            raise RemoteError(INVALID_REQUEST, "device pairing approval denied")
    if request is None:
        raise RemoteError(INVALID_REQUEST, "unknown requestId")
    for scope in request.scopes:
        if not client.covers(scope):
            raise RemoteError(INVALID_REQUEST, f"missing scope: {scope}")
    device = devices.approve(request, now_ms())
    await parts.registry.wait_saved()
    by = person_behind(parts, client)
    log.info("device approved", device=device.device_id, roles=device.roles, by=by)
    announce_device_decision(parts.hub, request.request_id, device.device_id, "approved")
    return {"requestId": request.request_id, "device": _shown(device)}


@method("device.pair.reject", PAIRING, DeviceRequestParams)
@changes(lambda params, answer: f"{device_named(answer['deviceId'])} was rejected")
def device_pair_reject(
    parts: GatewayParts, client: ConnectedClient, params: DeviceRequestParams
) -> Any:
    """Reject a device's pairing request; the device may ask again."""
    devices = parts.devices
    request = _own_request(devices, client, params.request_id)
    devices.reject(request)
    log.info("device rejected", device=request.device_id, by=person_behind(parts, client))
    announce_device_decision(parts.hub, request.request_id, request.device_id, "rejected")
    return {"requestId": request.request_id, "deviceId": request.device_id}


@method("device.pair.remove", PAIRING, DeviceParams)
@changes(lambda params, answer: f"{device_named(params.device_id)} was removed")
async def device_pair_remove(
    parts: GatewayParts, client: ConnectedClient, params: DeviceParams
) -> Any:
    """Remove a device and its tokens, and close its connections."""
    devices, nodes = parts.devices, parts.nodes
    known = devices.find(params.device_id)
    mine = _manages(client, params.device_id)
    if not mine or (known and not client.covers(ADMIN) and not is_operator(known.roles)):
        raise RemoteError(INVALID_REQUEST, "device pairing removal denied")
    if not devices.remove(params.device_id):
        raise RemoteError(INVALID_REQUEST, "unknown deviceId")
    nodes.remove(params.device_id)
    await parts.registry.wait_saved()
    log.info("device removed", device=params.device_id, by=person_behind(parts, client))
    invalidate(parts.hub, params.device_id, "device-pair-removed")
    return {"deviceId": params.device_id}


@method("device.pair.rename", PAIRING, LabelParams)
@changes(
    lambda params, answer: f"{device_named(params.device_id)} was named {claimed(answer['label'])}"
)
async def device_pair_rename(
    parts: GatewayParts, client: ConnectedClient, params: LabelParams
) -> Any:
    """Name a paired device: `operatorLabel` in the list."""
    devices, label = parts.devices, params.label.strip()
    if not label:
        raise RemoteError(INVALID_REQUEST, "label required")
    known = devices.find(params.device_id)
    mine = _manages(client, params.device_id)
    if not mine or (known and not client.covers(ADMIN) and not is_operator(known.roles)):
        raise RemoteError(INVALID_REQUEST, "device pairing rename denied")
    if known is None:
        raise RemoteError(INVALID_REQUEST, "unknown deviceId")
    devices.rename(params.device_id, label)
    await parts.registry.wait_saved()
    log.info("device renamed", device=params.device_id, label=label)
    return {"deviceId": params.device_id, "label": label}


@method("device.token.rotate", PAIRING, RotateParams)
@changes(lambda params, answer: f"the token of {device_named(params.device_id)} was replaced")
async def device_token_rotate(
    parts: GatewayParts, client: ConnectedClient, params: RotateParams
) -> Any:
    """Replace a token. Only its device gets the new one; otherwise the device must pair again."""
    devices, wanted = parts.devices, params.scopes
    denied = RemoteError(INVALID_REQUEST, "device token rotation denied")
    known = devices.find(params.device_id)
    if not _manages_role(client, params.device_id, params.role):
        raise denied
    for scope in wanted or ():
        if scope not in ALL:  # admin covers any word, also one that means nothing
            raise RemoteError(INVALID_REQUEST, f"unknown scope: {scope}")
    if params.role == OPERATOR and known is not None:
        token = known.tokens.get(OPERATOR)
        scopes = wanted if wanted is not None else (token.scopes if token else [])
        if not all(client.covers(scope) for scope in scopes):
            raise denied
    found = devices.rotate(params.device_id, params.role, wanted, now_ms())
    if found is None:
        raise denied
    entry, text = found
    await parts.registry.wait_saved()
    log.info("device token rotated", device=params.device_id, role=params.role)
    invalidate(parts.hub, params.device_id, "device-token-rotated", params.role)
    own = client.device == params.device_id
    answer = {
        "deviceId": params.device_id,
        "role": params.role,
        "scopes": entry.scopes,
        "rotatedAtMs": entry.rotated_at_ms,
    }
    if own:
        answer["token"] = text
    if client.protocol >= 4:
        answer["tokenDelivery"] = "in-band" if own else "withheld-cross-device"
    return answer


@method("device.token.revoke", PAIRING, RevokeParams)
@changes(lambda params, answer: f"the token of {device_named(params.device_id)} was revoked")
async def device_token_revoke(
    parts: GatewayParts, client: ConnectedClient, params: RevokeParams
) -> Any:
    """Revoke a token, and close the device's connections of that role."""
    devices = parts.devices
    denied = RemoteError(INVALID_REQUEST, "device token revocation denied")
    known = devices.find(params.device_id)
    if not _manages_role(client, params.device_id, params.role):
        raise denied
    token = known.tokens.get(params.role) if known else None
    if token is None or not all(covers(client.scopes, scope) for scope in token.scopes):
        raise denied
    entry = devices.revoke(params.device_id, params.role, now_ms())
    assert entry is not None
    await parts.registry.wait_saved()
    log.info("device token revoked", device=params.device_id, role=params.role)
    invalidate(parts.hub, params.device_id, "device-token-revoked", params.role)
    return {
        "deviceId": params.device_id,
        "role": params.role,
        "revokedAtMs": entry.revoked_at_ms,
    }


def _manages(client: ConnectedClient, device: str) -> bool:
    return client.device is None or client.device == device or client.covers(ADMIN)


def _manages_role(client: ConnectedClient, device: str, role: str) -> bool:
    return _manages(client, device) and (role == OPERATOR or client.covers(ADMIN))


def _own_request(devices: Devices, client: ConnectedClient, id: str) -> PairRequest:
    request = devices.find_request(id, now_ms())
    own = request is not None and _manages(client, request.device_id)
    if client.device is not None and not client.covers(ADMIN) and not own:
        raise RemoteError(INVALID_REQUEST, "device pairing rejection denied")
    if request is None:
        raise RemoteError(INVALID_REQUEST, "unknown requestId")
    return request


def _shown(device: Device) -> dict[str, Any]:
    """Return a device as JSON data, without its token hashes."""
    row: dict[str, Any] = msgspec.to_builtins(device)
    return row | {"tokens": msgspec.to_builtins(rows_of(device.tokens))}
