"""Checks every frame that the gateway sends against OpenClaw's published schema.

Runs where ``TRUNKLINE_WIRE_SCHEMA`` names the folder of the npm package (see
``ops/wire-schema``). What is ours beside the schema stands here and in ``recorded_events``, as it
is documented; anything else that does not validate fails the test that caused it. Events whose
shape is not published are held against recorded ones.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jsonschema
from jsonschema.exceptions import best_match

from ipc.websocket.connection import Connection
from runtime.gateway.clients.admission import Admission
from runtime.gateway.clients.client import ConnectedClient
from tests.support.recorded_events import strange, strange_row

VARIABLE = "TRUNKLINE_WIRE_SCHEMA"
# Of our own (docs/protocol.md, Events): rows, and events that have their schema elsewhere.
STATUS = {"channel.status", "agent.status"}
ELSEWHERE = {
    "agent.turn",  # docs/agents.md
    "agent.turn.cancel",
    "agent.detached",
    "supervisor.request",  # to our own supervisor alone
}
RESULTS = {
    "connect": "HelloOk",
    "channels.status": "ChannelsStatusResult",
    "agents.list": "AgentsListResult",
    "agent.identity.get": "AgentIdentityResult",
    "channels.pairing.list": "ChannelsPairingListResult",
    "channels.pairing.dismiss": "ChannelsPairingDismissResult",
    "chat.message.get": "ChatMessageGetResult",
    "commands.list": "CommandsListResult",
    "cron.add": "CronAddResult",
    "cron.get": "CronJob",
    "cron.update": "CronJob",
    "models.list": "ModelsListResult",
    "sessions.create": "SessionsCreateResult",
    "sessions.delete": "SessionsDeleteResult",
    "sessions.resolve": "SessionsResolveResult",
    "sessions.search": "SessionsSearchResult",
    "tools.catalog": "ToolsCatalogResult",
    "config.schema": "ConfigSchemaResponse",
    "config.schema.lookup": "ConfigSchemaLookupResult",
    "logs.tail": "LogsTailResult",
    "node.event": "NodeEventResult",
    "device.token.rotate": "DeviceTokenRotateResult",
}
EVENTS = {
    "tick": "TickEvent",
    "agent": "AgentEvent",
    "chat": "ChatEvent",
    "shutdown": "ShutdownEvent",
    "node.invoke.request": "NodeInvokeRequestEvent",
    "device.pair.requested": "DevicePairRequestedEvent",
    "device.pair.resolved": "DevicePairResolvedEvent",
}

# Rows of which the schema has the shape, in answers and events of which it has none.
ROWS = {
    "chat.history": {"sessionInfo": "SessionRow"},
    "chat.startup": {"sessionInfo": "SessionRow"},
    "cron": {"job": "CronJob"},
    "cron.list": {"jobs.*": "CronJob", "deliveryPreviews.*": "CronDeliveryPreview"},
    "cron.runs": {"entries.*": "CronRunLogEntry"},
    "health": {"": "Snapshot.health"},
    "presence": {"presence.*": "PresenceEntry"},
    "session.message": {"session": "SessionRow"},
    "sessions.changed": {"session": "SessionRow"},
    "sessions.create": {"entry": "SessionRow"},
    "sessions.describe": {"session": "SessionRow"},
    "sessions.list": {"sessions.*": "SessionRow"},
    "sessions.patch": {"entry": "SessionRow"},
    "sessions.reset": {"entry": "SessionRow"},
    "system-presence": {"*": "PresenceEntry"},
}

# What stands beside the schema (docs/protocol.md, "Beside the schema").
FIELDS = {
    "connect": ("auth.method", "features.repeatable", "snapshot.health.linkChannel"),
    "Snapshot.health": ("linkChannel",),
    "CronJob": ("catchUp", "effectiveAgentId", "deliveryPreview"),
    "heartbeat": ("agentId", "sessionKey"),
    "channels.status": ("statusIssues",),
    "agent": ("agentId", "sessionKey", "sessionId"),
    "agents.list": tuple(
        f"agents.*.{name}"
        for name in ("kind", "phase", "cause", "incarnation", "health", "enabled", "configured")
    ),
    "models.list": ("models.*.agents",),
    "channels.pairing.list": ("people", "requests.*.verified"),
    "cron.add": ("catchUp", "effectiveAgentId", "deliveryPreview"),
    "cron.get": ("catchUp", "effectiveAgentId", "deliveryPreview"),
    "cron.update": ("catchUp", "effectiveAgentId", "deliveryPreview"),
}


class Wire:
    """The frames that the gateway sent in one test, and the violations in them."""

    def __init__(self, folder: Path) -> None:
        self.problems: list[str] = []
        self.asked = self.checked = 0
        self._folder = str(folder)
        self._methods: dict[tuple[int, Any], str] = {}
        self._protocols: dict[int, int] = {}

    def heard(self, connection: Connection, payload: bytes) -> None:
        """Record a request, so that its answer can be recognized."""
        try:
            frame = json.loads(payload)
        except (ValueError, RecursionError):
            return
        self.asked += 1
        if isinstance(frame, dict) and isinstance(frame.get("id"), str):
            self._methods[id(connection), frame["id"]] = str(frame.get("method"))

    def said(self, connection: Connection, framed: bytes) -> None:
        """Check the frames of one write."""
        for payload in _payloads(framed):
            self.check(connection, payload)

    def check(self, connection: Connection, payload: bytes) -> None:
        """Check one frame."""
        self._check(connection, json.loads(payload))

    def _check(self, connection: Connection, frame: dict[str, Any]) -> None:
        self.checked += 1
        if frame["type"] == "event":
            self._event(connection, frame)
        elif isinstance(frame["id"], str):  # a numeric id is echoed as the real one does it
            self._holds("ResponseFrame", frame, frame["id"])
            if frame["ok"]:
                self._result(connection, frame)

    def _event(self, connection: Connection, frame: dict[str, Any]) -> None:
        name = frame["event"]
        self._holds("EventFrame", frame, name)
        if name in ELSEWHERE or self._protocols.get(id(connection), 4) < 4:
            return
        payload = frame.get("payload")
        if name in STATUS:
            self.problems.extend(strange_row(name, payload))
        elif name in EVENTS:
            self._holds(EVENTS[name], _without_ours(name, payload), name)
        elif name not in ROWS or name in ("cron", "sessions.changed", "session.message"):
            self.problems.extend(strange(name, _without_ours(name, payload)))
        self._rows(name, payload)

    def _result(self, connection: Connection, frame: dict[str, Any]) -> None:
        method = self._methods.get((id(connection), frame["id"]))
        if method is None:
            self.problems.append(f"answer to {frame['id']!r}, which nobody was heard to ask")
            return
        payload = frame.get("payload")
        if method == "connect" and isinstance(payload, dict):
            self._protocols[id(connection)] = payload.get("protocol", 4)
        if self._protocols.get(id(connection), 4) < 4:
            return
        if method in RESULTS:
            self._holds(RESULTS[method], _without_ours(method, payload), method)
        self._rows(method, payload)

    def _rows(self, name: str, payload: Any) -> None:
        for path, shape in ROWS.get(name, {}).items():
            for row in _found(payload, path.split(".") if path else []):
                self._holds(shape, _without_ours(shape, row), f"{name}, {path}")

    def _holds(self, name: str, value: Any, what: str) -> None:
        for whole in validator(self._folder, name).iter_errors(value):
            error = best_match([whole]) or whole  # of several shapes the one that is nearest
            place = "/".join(map(str, error.absolute_path))
            self.problems.append(f"{what}: {name} at /{place}: {error.message[:300]}")


@contextmanager
def recorded() -> Iterator[Wire | None]:
    """Check everything that is sent while the block runs; ``None`` without a schema."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        yield None
        return
    wire = Wire(Path(folder))
    send, send_framed = Connection.send, Connection.send_framed
    connecting, calling = Admission.receive, ConnectedClient.receive

    def first_heard(admission: Admission, payload: bytes) -> None:
        wire.heard(admission.connection, payload)
        connecting(admission, payload)

    def heard(client: ConnectedClient, payload: bytes) -> None:
        wire.heard(client.connection, payload)
        calling(client, payload)

    def said(connection: Connection, payload: bytes) -> None:
        wire.check(connection, payload)
        send(connection, payload)

    def said_framed(connection: Connection, framed: bytes) -> None:
        wire.said(connection, framed)
        send_framed(connection, framed)

    with (
        patch.object(Admission, "receive", first_heard),
        patch.object(ConnectedClient, "receive", heard),
        patch.object(Connection, "send", said),
        patch.object(Connection, "send_framed", said_framed),
    ):
        yield wire
    if wire.asked and not wire.checked:
        wire.problems.append("requests came, and no frame was seen that answers them")


def _found(value: Any, path: list[str]) -> Iterator[Any]:
    """Return the values at a path, in which ``*`` is each item of a list or a dict."""
    if not path:
        yield value
    elif path[0] == "*":
        for each in value.values() if isinstance(value, dict) else value or ():
            yield from _found(each, path[1:])
    elif isinstance(value, dict) and value.get(path[0]) is not None:
        yield from _found(value[path[0]], path[1:])


def _without_ours(name: str, payload: Any) -> Any:
    """Return an answer or an event without the fields of ``FIELDS``."""
    for path in FIELDS.get(name, ()):
        payload = _without(payload, path.split("."))
    return payload


def _without(value: Any, path: list[str]) -> Any:
    """Return a value without the values at a path, in which ``*`` is each item of a list."""
    head, *rest = path
    if head == "*" and isinstance(value, list):
        return [_without(each, rest) for each in value]
    if not isinstance(value, dict) or head not in value:
        return value
    if rest:
        return value | {head: _without(value[head], rest)}
    return {key: each for key, each in value.items() if key != head}


def _payloads(framed: bytes) -> Iterator[bytes]:
    """Split joined, unmasked WebSocket frames into payloads."""
    position = 0
    while position < len(framed):
        length, position = framed[position + 1] & 0x7F, position + 2
        if length > 125:
            size = 2 if length == 126 else 8
            length = int.from_bytes(framed[position : position + size], "big")
            position += size
        yield framed[position : position + length]
        position += length


@cache
def validator(folder: str, name: str) -> jsonschema.Draft7Validator:
    """Return a validator of the published type ``name``."""
    definitions = _definitions(folder)
    head, _, inner = name.partition(".")
    shape = definitions[head]
    if inner:
        shape = shape["properties"][inner]
    return jsonschema.Draft7Validator({**shape, "definitions": definitions})


@cache
def _definitions(folder: str) -> dict[str, Any]:
    whole = json.loads((Path(folder) / "protocol.schema.json").read_text())
    found: dict[str, Any] = whole["definitions"]
    return found
