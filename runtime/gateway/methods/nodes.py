"""Lists and renames nodes, invokes their commands, and takes their answers and events."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from ipc.epoch import now_ms
from ipc.errors import CallTimeout, PeerGone, RemoteError
from ipc.frames.requests import NoParams, Params
from ipc.frames.websocket import MAX_FRAME_BYTES
from ipc.frames.words import INVALID_REQUEST, NOT_CONNECTED, UNAVAILABLE
from ipc.nesting import MALFORMED, decode_json
from runtime.gateway.access.scopes import NODE, PAIRING, READ, WRITE
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.hello import surface_urls
from runtime.gateway.clients.method_table import method
from runtime.gateway.device_pairing import device_named
from runtime.gateway.devices.nodes import Nodes
from runtime.gateway.http.canvas_host import TICKET_SECONDS
from runtime.gateway.methods.asking import changes, claimed
from runtime.gateway.parts import GatewayParts

INVOKE_MS = 30_000
LONGEST_MS = 3_600_000
KEPT_BYTES = 16 * 1024  # of an answer that is remembered by its key
PAYLOAD_BYTES = MAX_FRAME_BYTES // 2  # the answer has the payload twice: as JSON, and as text
Word = Annotated[str, Meta(min_length=1, max_length=512)]
_ONLY_NODES = frozenset({NODE})


class NodeParams(Params):
    """The params that name one node."""

    node_id: Word


class RenameParams(Params):
    """The params of ``node.rename``: a node and the name that people see."""

    node_id: Word
    display_name: Annotated[str, Meta(min_length=1, max_length=200)]


class InvokeParams(Params):
    """The params of ``node.invoke``; those about the conversation are accepted and ignored."""

    node_id: Word
    command: Word
    idempotency_key: Word
    params: Raw | UnsetType = UNSET
    timeout_ms: Annotated[int, Meta(ge=0, le=LONGEST_MS)] = INVOKE_MS
    session_key: str | None = None
    turn_source_channel: str | None = None
    turn_source_to: str | None = None
    turn_source_account_id: str | None = None
    turn_source_thread_id: str | float | None = None


class NodeError(msgspec.Struct):
    """The reason why a node could not carry out a command."""

    code: str = UNAVAILABLE
    message: str = "node invoke failed"


class InvokeResultParams(Params):
    """The params of ``node.invoke.result``: the payload as JSON, or as text that holds JSON."""

    id: Word
    node_id: Word
    ok: bool
    payload: Raw | UnsetType = UNSET
    payload_json: str | UnsetType = msgspec.field(default=UNSET, name="payloadJSON")
    error: NodeError | UnsetType = UNSET


class NodeEventParams(Params):
    """The params of ``node.event``."""

    event: Word
    payload: Raw | UnsetType = UNSET
    payload_json: str | UnsetType = msgspec.field(default=UNSET, name="payloadJSON")


class SurfaceParams(Params):
    """The params of ``node.pluginSurface.refresh``; the only surface is ``canvas``."""

    surface: Word


@method("node.list", READ, NoParams)
def node_list(parts: GatewayParts, client: ConnectedClient, params: NoParams) -> Any:
    """Answer with every node that is connected or approved."""
    rows = [row | _of_protocol(client) for row in parts.nodes.rows()]
    return {"ts": now_ms(), "nodes": rows}


@method("node.describe", READ, NodeParams)
def node_describe(parts: GatewayParts, client: ConnectedClient, params: NodeParams) -> Any:
    """Answer with one node that is connected or approved."""
    row = parts.nodes.row(params.node_id)
    if row is None:
        raise RemoteError(INVALID_REQUEST, "unknown nodeId")
    return {"ts": now_ms()} | row | _of_protocol(client)


@method("node.rename", PAIRING, RenameParams)
@changes(
    lambda params, answer: (
        f"node {device_named(params.node_id)} was named {claimed(answer['displayName'])}"
    )
)
async def node_rename(parts: GatewayParts, client: ConnectedClient, params: RenameParams) -> Any:
    """Name an approved node."""
    name = params.display_name.strip()
    if not name:
        raise RemoteError(INVALID_REQUEST, "displayName required")
    if not parts.nodes.rename(params.node_id, name):
        raise RemoteError(INVALID_REQUEST, "unknown nodeId")
    await parts.registry.wait_saved()
    return {"nodeId": params.node_id, "displayName": name}


@method("node.invoke", WRITE, InvokeParams, most_bytes=PAYLOAD_BYTES)
async def node_invoke(parts: GatewayParts, client: ConnectedClient, params: InvokeParams) -> Any:
    """Execute a command on a node, once per key (300 s), and return its answer."""
    key, invoked = _key(params), parts.nodes.invoked
    answer = await invoked.once(key, lambda: _invoke(parts.nodes, client, params))
    if _size(answer) > KEPT_BYTES:
        invoked.forget(key)
    return answer


def _key(params: InvokeParams) -> tuple[str, ...]:
    """Return the key of an invocation that is carried out once, its command and params included."""
    given = b"" if params.params is UNSET else bytes(params.params)
    said = hashlib.sha256(given).hexdigest()  # params may be large, and are kept for 300 s
    return (params.node_id, params.command, said, params.idempotency_key)


def _size(answer: dict[str, Any]) -> int:
    return max(
        len(bytes(each) if isinstance(each, Raw) else each)
        for each in answer.values()
        if isinstance(each, Raw | str)
    )


async def _invoke(nodes: Nodes, client: ConnectedClient, params: InvokeParams) -> Any:
    node = nodes.connected.get(params.node_id)
    if node is None:
        raise _offline(client)
    if not nodes.may(params.node_id, params.command):
        raise _forbidden(node.connect.client.platform, params.command)
    seconds = params.timeout_ms / 1000
    number, future = nodes.calls.start(params.node_id, seconds, params.command)
    request: dict[str, Any] = {
        "id": nodes.number(number),
        "nodeId": params.node_id,
        "command": params.command,
    }
    if params.params is not UNSET:
        request["paramsJSON"] = bytes(params.params).decode()
    request |= {"timeoutMs": params.timeout_ms, "idempotencyKey": params.idempotency_key}
    node.send_unnumbered("node.invoke.request", request)
    try:
        result = await nodes.calls.answer(number, future)
    except CallTimeout:
        cancel = {"invokeId": request["id"], "nodeId": params.node_id}
        node.send_unnumbered("node.invoke.cancel", cancel)
        raise _failure("TIMEOUT", "node invoke timed out") from None
    except PeerGone:
        raise _failure(NOT_CONNECTED, "node disconnected", retryable=True) from None
    return _answer(params, result)


@method("node.invoke.result", None, InvokeResultParams, _ONLY_NODES, most_bytes=PAYLOAD_BYTES)
def node_invoke_result(
    parts: GatewayParts, client: ConnectedClient, params: InvokeResultParams
) -> Any:
    """Accept the answer of a node; an answer that is too late is ignored."""
    if params.node_id != client.device:
        raise RemoteError(INVALID_REQUEST, "nodeId mismatch")
    nodes = parts.nodes
    number = nodes.parse(params.id)
    if number is None or not nodes.calls.resolve(number, params):
        return {"ok": True, "ignored": True}
    return {"ok": True}


@method("node.pluginSurface.refresh", None, SurfaceParams, _ONLY_NODES)
def node_plugin_surface_refresh(
    parts: GatewayParts, client: ConnectedClient, params: SurfaceParams
) -> Any:
    """Answer with the address of the canvas host for another hour, in the form of the hello."""
    if params.surface != "canvas" or not parts.canvas.enabled:
        raise RemoteError(INVALID_REQUEST, f"unknown plugin surface: {params.surface}")
    ends = now_ms() + TICKET_SECONDS * 1000
    urls = surface_urls(parts, client)
    return {"surface": "canvas", "pluginSurfaceUrls": urls, "expiresAtMs": ends}


@method("node.event", None, NodeEventParams, _ONLY_NODES)
def node_event(parts: GatewayParts, client: ConnectedClient, params: NodeEventParams) -> Any:
    """Accept an event of a node: it records a sign of life; other events have no meaning yet."""
    alive = params.event == "node.presence.alive"
    if alive and client.device is not None:
        parts.nodes.record_alive(client.device, _trigger(params), now_ms())
    if client.protocol < 4:
        return {"ok": True}
    reason = "persisted" if alive else "unsupported"
    return {"ok": True, "event": params.event, "handled": alive, "reason": reason}


def _answer(params: InvokeParams, result: InvokeResultParams) -> dict[str, Any]:
    if not result.ok:
        error = NodeError() if result.error is UNSET else result.error
        raise _failure(error.code, error.message)
    answer: dict[str, Any] = {"ok": True, "nodeId": params.node_id, "command": params.command}
    if result.payload_json is not UNSET:
        try:
            # Checked, and not decoded: objects would take up to fifty times the text.
            answer["payload"] = decode_json(result.payload_json, Raw)
        except MALFORMED:
            answer["payload"] = None
        answer["payloadJSON"] = result.payload_json
    elif result.payload is not UNSET:
        answer["payload"] = result.payload
        answer["payloadJSON"] = bytes(result.payload).decode()
    return answer


def _failure(code: str, message: str, *, retryable: bool = False) -> RemoteError:
    details = {"nodeError": {"code": code, "message": message}, "nodeCommandDispatched": True}
    return RemoteError(UNAVAILABLE, f"{code}: {message}", details=details, retryable=retryable)


def _offline(client: ConnectedClient) -> RemoteError:
    if client.protocol < 4:
        details = {"code": NOT_CONNECTED}
        return RemoteError(UNAVAILABLE, "node not connected", details=details)
    text = "node pairing changed while invocation was active"
    return RemoteError(UNAVAILABLE, text, details={"code": "PAIRING_CHANGED"}, retryable=True)


def _forbidden(platform: str, command: str) -> RemoteError:
    text = (
        f'node command not allowed: "{command}" is not in the allowlist for platform "{platform}"'
    )
    details = {"reason": "command not allowlisted", "command": command}
    return RemoteError(INVALID_REQUEST, text, details=details)


def _trigger(params: NodeEventParams) -> str:
    """Return the trigger that a sign of life names, ``alive`` where it names none."""
    try:
        said: Any = None
        if params.payload is not UNSET:
            said = decode_json(params.payload)
        elif params.payload_json is not UNSET:
            said = decode_json(params.payload_json)
    except MALFORMED:
        said = None
    trigger = said.get("trigger") if isinstance(said, dict) else None
    return trigger[:64] if isinstance(trigger, str) and trigger else "alive"


def _of_protocol(client: ConnectedClient) -> dict[str, Any]:
    return {"sessionHost": False, "nodePluginTools": []} if client.protocol >= 4 else {}
