"""Manages nodes: devices that carry out commands for operators.

A node is connected, approved, both, or neither. What it offers is approved as a whole; a
node that comes back with more must be approved again, and may do meanwhile what was
approved before.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection, Iterable
from typing import Any

from msgspec import UNSET

from ipc.calls import Calls
from ipc.errors import PeerGone
from ipc.idempotency import Once
from runtime.config.gateway_model import NodesConfig
from runtime.gateway.access.client_view import ClientView
from runtime.gateway.access.scopes import ADMIN, PAIRING, WRITE
from runtime.gateway.devices.devices import about_client
from runtime.gateway.devices.registry import ApprovedNode, Registry, Surface

MAX_REQUESTS = 64
# These see, hear or write to people. As OpenClaw does, they are refused unless configured.
SENSITIVE = frozenset(
    {
        "camera.snap",
        "camera.clip",
        "screen.record",
        "contacts.add",
        "calendar.add",
        "reminders.add",
        "sms.send",
        "sms.search",
    }
)
# Approving these takes ``operator.admin``.
POWERFUL = ("system.run", "system.execApprovals", "terminal.")


class NodeRequest(Surface, kw_only=True):
    """The commands of a node that wait for an operator's approval."""

    request_id: str
    required_approve_scopes: list[str]
    silent: bool = False
    ts: int = 0


class Nodes:
    """The connected and the approved nodes, the requests for approval, and their invocations.

    All times are milliseconds of the epoch, given by the caller. ``connected`` holds the
    connections and ``since`` their beginnings by node id, ``calls`` the invocations that wait
    for an answer, ``invoked`` those that must not be carried out twice. ``prefix`` starts the
    ids of all invocations of this boot.
    """

    def __init__(self, registry: Registry, config: NodesConfig, prefix: str) -> None:
        self._registry = registry
        self._config = config
        self._prefix = prefix  # so the ids of another boot never match ours
        self._requests: dict[str, NodeRequest] = {}
        self.connected: dict[str, ClientView] = {}
        self.since: dict[str, int] = {}
        self.calls: Calls[Any] = Calls()
        self.invoked = Once(asyncio.get_running_loop().time, _interrupted)

    def on_connect(
        self, client: ClientView, now: int
    ) -> tuple[NodeRequest | None, ClientView | None]:
        """Add a node that has connected.

        Returns the request for its approval when that is new, and the older connection that
        this one replaces.
        """
        node = client.device
        assert node is not None
        older = self.connected.get(node)
        self.connected[node] = client
        self.since[node] = now
        self.record_seen(node, "connect", now)
        known = self._registry.nodes.get(node)
        offered = surface(client)
        if known is not None and set(offered.commands) <= set(known.commands):
            known.version, known.caps = offered.version, offered.caps
            return None, older
        return self._add_request(offered, now), older

    def on_disconnect(self, client: ClientView, now: int) -> None:
        """Remove a node whose connection has ended, and fail its invocations.

        An older connection of the same node changes nothing.
        """
        node = client.device
        if node is not None and self.connected.get(node) is client:
            del self.connected[node]
            del self.since[node]
            self.calls.fail_peer(node)
            self.record_seen(node, "disconnect", now)
            if node not in self._registry.nodes:
                self._drop_requests(node)

    def fail_all(self) -> None:
        """Fail every invocation that waits for an answer, because the gateway ends."""
        self.calls.fail_all()

    def record_alive(self, id: str, reason: str, now: int) -> None:
        """Record that a node has reported itself alive, and save that soon."""
        self.record_seen(id, reason, now)
        self._registry.save_soon()

    def record_seen(self, id: str, reason: str, now: int) -> None:
        """Record when an approved node was last seen; the next change saves it."""
        known = self._registry.nodes.get(id)
        if known is not None:
            known.last_seen_at_ms, known.last_seen_reason = now, reason

    def pending(self) -> list[NodeRequest]:
        """Return the requests for approval, the newest first."""
        return sorted(self._requests.values(), key=lambda each: -each.ts)

    def paired(self) -> list[ApprovedNode]:
        """Return the approved nodes."""
        return list(self._registry.nodes.values())

    def find(self, id: str) -> ApprovedNode | None:
        """Return an approved node, or ``None``."""
        return self._registry.nodes.get(id)

    def find_request(self, request: str) -> NodeRequest | None:
        """Return a request for approval, or ``None``."""
        return self._requests.get(request)

    def request_approval(self, offered: Surface, now: int) -> tuple[NodeRequest, bool]:
        """Return the approval request for a node's commands, and whether it is new (Protocol 3)."""
        known = {id(each) for each in self._requests.values()}
        request = self._add_request(offered, now) or next(
            each for each in self._requests.values() if each.node_id == offered.node_id
        )
        return request, id(request) not in known

    def approve(self, request: NodeRequest, now: int) -> ApprovedNode:
        """Approve what a node offers; return the approved node."""
        self._drop_requests(request.node_id)
        known = self._registry.nodes.get(request.node_id)
        fields = {name: getattr(request, name) for name in Surface.__struct_fields__}
        node = ApprovedNode(
            **fields, approved_at_ms=now, created_at_ms=known.created_at_ms if known else now
        )
        node.last_seen_at_ms = self.since.get(node.node_id)
        node.last_seen_reason = "connect" if node.last_seen_at_ms else None
        if known is not None:
            node.display_name = known.display_name or node.display_name
        self._registry.nodes[node.node_id] = node
        self._registry.save_soon()
        return node

    def reject(self, request: NodeRequest) -> None:
        """Drop a request for approval."""
        self._requests.pop(request.request_id, None)

    def remove(self, id: str) -> bool:
        """Remove the approval of a node and its requests; return false when it is not approved."""
        self._drop_requests(id)
        if self._registry.nodes.pop(id, None) is None:
            return False
        self._registry.save_soon()
        return True

    def rename(self, id: str, name: str) -> bool:
        """Name an approved node; return false when there is none."""
        known = self._registry.nodes.get(id)
        if known is None:
            return False
        known.display_name = name
        self._registry.save_soon()
        return True

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each node that is connected or approved."""
        known = dict.fromkeys([*self._registry.nodes, *self.connected])
        return [self._row(node) for node in known]

    def row(self, id: str) -> dict[str, Any] | None:
        """Return the row of one node, or ``None`` when it is neither connected nor approved."""
        exists = id in self._registry.nodes or id in self.connected
        return self._row(id) if exists else None

    def may(self, id: str, command: str) -> bool:
        """Return whether ``command`` of an approved node may be invoked."""
        node = self._registry.nodes.get(id)
        if node is None or command in self._config.deny_commands:
            return False
        if command in SENSITIVE and command not in self._config.allow_commands:
            return False
        return command in node.commands

    def number(self, id: int) -> str:
        """Return the id of an invocation for nodes."""
        return f"{self._prefix}-{id}"

    def parse(self, text: str) -> int | None:
        """Return the number in the id of an invocation; ``None`` if it is of another boot."""
        prefix, _, number = text.rpartition("-")
        return (
            int(number)
            if prefix == self._prefix and number.isascii() and number.isdecimal()
            else None
        )

    def _add_request(self, offered: Surface, now: int) -> NodeRequest | None:
        for request in self._requests.values():
            if request.node_id == offered.node_id:
                if request.commands == offered.commands:
                    return None
                del self._requests[request.request_id]
                break
        if len(self._requests) >= MAX_REQUESTS:
            del self._requests[next(iter(self._requests))]
        fields = {name: getattr(offered, name) for name in Surface.__struct_fields__}
        made = NodeRequest(
            **fields,
            request_id=str(uuid.uuid4()),
            required_approve_scopes=needed(offered.commands),
            silent=True,
            ts=now,
        )
        self._requests[made.request_id] = made
        return made

    def _drop_requests(self, id: str) -> None:
        for request in [each for each in self._requests.values() if each.node_id == id]:
            del self._requests[request.request_id]

    def _row(self, id: str) -> dict[str, Any]:
        client, known = self.connected.get(id), self._registry.nodes.get(id)
        said: Surface = surface(client) if client is not None else known  # type: ignore[assignment]
        asked = any(each.node_id == id for each in self._requests.values())
        state = "approved" if known else "pending-approval" if asked else "unapproved"
        if known and asked:
            state = "pending-reapproval"
        row: dict[str, Any] = {
            "nodeId": id,
            "displayName": known.display_name if known else said.display_name,
            "platform": said.platform,
            "version": said.version,
            "clientId": said.client_id,
            "clientMode": said.client_mode,
            "deviceFamily": said.device_family,
            "remoteIp": said.remote_ip,
            "caps": said.caps,
            "commands": list(known.commands) if known else [],
            "approvalState": state,
            "connectedAtMs": self.since.get(id),
            "lastSeenAtMs": self.since.get(id) or (known.last_seen_at_ms if known else None),
            "lastSeenReason": "connect" if client else (known.last_seen_reason if known else None),
            "approvedAtMs": known.approved_at_ms if known else None,
            "paired": known is not None,
            "connected": client is not None,
        }
        return {name: value for name, value in row.items() if value is not None}


def surface(client: ClientView) -> Surface:
    """Return what a connected node offers, as its ``connect`` states it."""
    connect = client.connect
    assert connect.device is not UNSET
    return Surface(
        node_id=connect.device.id,
        version=connect.client.version,
        caps=connect.caps,
        commands=list(dict.fromkeys(connect.commands)),
        permissions=connect.permissions,
        **about_client(connect, client.address),
    )


def _interrupted() -> PeerGone:
    return PeerGone("the node", maybe_executed=True)


def needed(commands: Iterable[str]) -> list[str]:
    """Return the scopes needed to approve these commands."""
    commands = list(commands)
    scopes = [PAIRING]
    if commands:
        scopes.append(WRITE)
    if any(command.startswith(POWERFUL) for command in commands):
        scopes.append(ADMIN)
    return scopes


def lacks(scopes: Iterable[str], has: Collection[str]) -> str | None:
    """Return the first of ``scopes`` that ``has`` lacks, or ``None``; admin includes all."""
    return None if ADMIN in has else next((each for each in scopes if each not in has), None)
