"""Manages the operators' approvals of nodes and their commands: ``node.pair.*``."""

from __future__ import annotations

from typing import Annotated, Any

import structlog
from msgspec import Meta

from ipc.epoch import now_ms
from ipc.errors import RemoteError
from ipc.frames.requests import NoParams, Params
from ipc.frames.words import INVALID_REQUEST
from ipc.hidden_fields import hide_fields
from runtime.gateway.access.scopes import NODE, PAIRING
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import TEXT_BYTES, Repeat, method
from runtime.gateway.device_pairing import (
    announce_node_decision,
    announce_node_request,
    device_named,
    invalidate,
)
from runtime.gateway.devices.nodes import NodeRequest, Nodes, lacks
from runtime.gateway.devices.registry import Surface
from runtime.gateway.methods.asking import changes
from runtime.gateway.parts import GatewayParts

log = structlog.get_logger("gateway.nodes")

Word = Annotated[str, Meta(min_length=1, max_length=512)]
Words = Annotated[list[Word], Meta(max_length=1024)]
_ONLY_3 = frozenset({3})


class NodeRequestParams(Params):
    """The params that name one request for approval."""

    request_id: Word


class PairedNodeParams(Params):
    """The params that name one approved node."""

    node_id: Word


class NodePairParams(Params):
    """The params of ``node.pair.request``: what a node offers (Protocol 3)."""

    node_id: Word
    display_name: Word | None = None
    platform: Word | None = None
    version: Word | None = None
    core_version: Word | None = None
    ui_version: Word | None = None
    device_family: Word | None = None
    model_identifier: Word | None = None
    caps: Words = []
    commands: Words = []
    permissions: Annotated[dict[str, bool], Meta(max_length=256)] = {}
    remote_ip: Word | None = None
    silent: bool = False


@hide_fields("token")
class VerifyParams(Params):
    """The params of ``node.pair.verify``: a node's token from before devices had identities."""

    node_id: Word
    token: Word


@method("node.pair.list", PAIRING, NoParams, repeat=Repeat.ALWAYS)
def node_pair_list(parts: GatewayParts, client: ConnectedClient, params: NoParams) -> Any:
    """Answer with the nodes that wait for approval and those that are approved."""
    nodes = parts.nodes
    return {"pending": nodes.pending(), "paired": nodes.paired()}


@method("node.pair.approve", PAIRING, NodeRequestParams)
@changes(lambda params, answer: f"node {device_named(answer['node'].node_id)} was approved")
async def node_pair_approve(
    parts: GatewayParts, client: ConnectedClient, params: NodeRequestParams
) -> Any:
    """Approve the commands that a node offers."""
    nodes = parts.nodes
    request = _request(nodes, params.request_id)
    missing = lacks(request.required_approve_scopes, client.scopes)
    if missing is not None:
        raise RemoteError(INVALID_REQUEST, f"missing scope: {missing}")
    node = nodes.approve(request, now_ms())
    await parts.registry.wait_saved()
    log.info("node approved", node=node.node_id, commands=node.commands)
    announce_node_decision(parts, request.request_id, node.node_id, "approved")
    return {"requestId": request.request_id, "node": node}


@method("node.pair.reject", PAIRING, NodeRequestParams)
@changes(lambda params, answer: f"node {device_named(answer['nodeId'])} was rejected")
def node_pair_reject(
    parts: GatewayParts, client: ConnectedClient, params: NodeRequestParams
) -> Any:
    """Reject the commands that a node offers; it stays connected without them."""
    nodes = parts.nodes
    request = _request(nodes, params.request_id)
    nodes.reject(request)
    log.info("node rejected", node=request.node_id)
    announce_node_decision(parts, request.request_id, request.node_id, "rejected")
    return {"requestId": request.request_id, "nodeId": request.node_id}


@method("node.pair.remove", PAIRING, PairedNodeParams)
@changes(lambda params, answer: f"node {device_named(params.node_id)} was removed")
async def node_pair_remove(
    parts: GatewayParts, client: ConnectedClient, params: PairedNodeParams
) -> Any:
    """Remove a node and its device's role as a node, and close its connection."""
    devices, nodes = parts.devices, parts.nodes
    device = devices.find(params.node_id)
    is_device = device is not None and NODE in device.roles
    if not nodes.remove(params.node_id) and not is_device:
        raise RemoteError(INVALID_REQUEST, "unknown nodeId")
    if is_device:
        devices.remove(params.node_id, NODE)
    await parts.registry.wait_saved()
    log.info("node removed", node=params.node_id)
    announce_node_decision(parts, "", params.node_id, "removed")
    invalidate(parts.hub, params.node_id, "node-pair-removed", NODE)
    return {"nodeId": params.node_id}


@method("node.pair.request", PAIRING, NodePairParams, protocols=_ONLY_3, most_bytes=TEXT_BYTES)
def node_pair_request(parts: GatewayParts, client: ConnectedClient, params: NodePairParams) -> Any:
    """Request the approval of a node; repeating it returns the same request."""
    offered = Surface(
        node_id=params.node_id,
        platform=params.platform or "unknown",
        client_id="node-host",
        client_mode="node",
        version=params.version or "",
        display_name=params.display_name,
        device_family=params.device_family,
        remote_ip=params.remote_ip,
        caps=params.caps,
        commands=params.commands,
        permissions=params.permissions,
    )
    request, created = parts.nodes.request_approval(offered, now_ms())
    if created:
        announce_node_request(parts.hub, request)
    return {"status": "pending", "request": request, "created": created}


@method("node.pair.verify", PAIRING, VerifyParams, protocols=_ONLY_3)
def node_pair_verify(parts: GatewayParts, client: ConnectedClient, params: VerifyParams) -> Any:
    """Answer that no node token is valid: nodes authenticate as devices."""
    return {"ok": False}


def _request(nodes: Nodes, id: str) -> NodeRequest:
    request = nodes.find_request(id)
    if request is None:
        raise RemoteError(INVALID_REQUEST, "unknown requestId")
    return request
