"""Keeps the list of connected clients, for ``system-presence`` and the event ``presence``.

The hub broadcasts it once a second at most, however many clients come and go: each broadcast
is the whole list to every client. Clients that have left, and programs that announce
themselves without a connection (``system-event``), stay in the list for five minutes.
"""

from __future__ import annotations

import platform
import socket
from typing import Any

import msgspec
from msgspec import UNSET

from ipc.epoch import now_ms
from runtime.gateway.access.client_view import ClientView
from runtime.gateway.accounts.cached_answer import CachedAnswer

KEPT_MS = 300_000
MAX_ROWS = 200  # in one list: the newest; the number of clients is in the metrics
QUIET = frozenset({"backend", "probe"})  # Protocol 4 hides these without a device, and any CLI


class Presence:
    """The presence rows of all clients; ``version`` grows with every change."""

    def __init__(self, version: str, instance: str) -> None:
        self.version = 0
        host = socket.gethostname()
        system = f"{platform.system().lower()} {platform.release()}"
        self._own = {
            "host": host,
            "ip": "127.0.0.1",
            "version": version,
            "platform": system,
            "deviceFamily": platform.system(),
            "modelIdentifier": platform.machine(),
            "mode": "gateway",
            "reason": "self",
            "instanceId": instance,
            "text": f"Gateway: {host} · app {version} · mode gateway · reason self",
        }
        self._rows: dict[ClientView, dict[str, Any]] = {}
        self._cached = CachedAnswer(lambda: self.version, self.rows)
        self._others: dict[str, tuple[bool, dict[str, Any]]] = {}  # does 4 hide it?, row

    def add(self, client: ClientView) -> bool:
        """Add a client; return whether clients see a difference."""
        self._rows[client] = _row(client)
        self._others.pop(_key(client), None)
        self.version += 1
        return not _hidden(client)

    def remove(self, client: ClientView) -> bool:
        """Remove a client; return whether clients see a difference."""
        row = self._rows.pop(client, None)
        if row is None:
            return False
        self._store_row(
            _key(client), _hidden(client), row | {"reason": "disconnect", "ts": now_ms()}
        )
        self.version += 1
        return not _hidden(client)

    def announce(self, fields: dict[str, Any]) -> None:
        """Add what a program announces about itself to what is known of it."""
        names = ("deviceId", "instanceId", "host", "ip", "text")
        key = str(next(fields[name] for name in names if name in fields))
        for client, row in self._rows.items():
            if key in (client.device, row.get("instanceId")):
                row |= fields | {"ts": now_ms()}
                break
        else:
            before = self._others.get(key, (False, {}))[1]
            self._store_row(key, False, before | fields | {"ts": now_ms()})
        self.version += 1

    def rows(self, protocol: int) -> list[dict[str, Any]]:
        """Return the rows of all, the gateway's first, as that protocol shows them."""
        now = now_ms()
        for key, (_, row) in list(self._others.items()):
            if now - row["ts"] > KEPT_MS:
                del self._others[key]
        live = [row for client, row in self._rows.items() if protocol < 4 or not _hidden(client)]
        others = [row for hidden, row in self._others.values() if protocol < 4 or not hidden]
        shown = [*live[-MAX_ROWS:], *reversed(others)]
        return [self._own | {"ts": now}, *shown[:MAX_ROWS]]

    def encoded(self, protocol: int) -> msgspec.Raw:
        """Return ``rows`` as JSON text, made anew after a change or when it is too old."""
        return self._cached.of(protocol)

    def _store_row(self, key: str, hidden: bool, row: dict[str, Any]) -> None:
        self._others.pop(key, None)
        self._others[key] = hidden, row
        if len(self._others) > MAX_ROWS:
            del self._others[next(iter(self._others))]


def shown_name(client: ClientView) -> str:
    """Return what a client calls itself, or the id of its program."""
    about = client.connect.client
    return about.id if about.display_name is UNSET else about.display_name or about.id


def _row(client: ClientView) -> dict[str, Any]:
    about = client.connect.client
    name = shown_name(client)
    optional = {
        "deviceFamily": about.device_family,
        "modelIdentifier": about.model_identifier,
        "timeZone": about.time_zone,
        "instanceId": about.instance_id,
    }
    row: dict[str, Any] = {
        "host": name,
        "version": about.version,
        "platform": about.platform,
        "mode": about.mode,
        "roles": [client.role],
        "reason": "connect",
        "ts": now_ms(),
        "text": f"Node: {name} · mode {about.mode}",
    }
    row |= {key: value for key, value in optional.items() if value is not UNSET and value}
    if client.scopes:
        row["scopes"] = list(client.scopes)
    if client.device is not None:
        row["deviceId"] = client.device
        row.setdefault("instanceId", client.device)
    if client.grant.user is not None:
        row["user"] = {"id": client.grant.user}
    return row


def _key(client: ClientView) -> str:
    instance = client.connect.client.instance_id
    return client.device or (instance if instance is not UNSET else "") or client.id


def _hidden(client: ClientView) -> bool:
    mode = client.connect.client.mode
    return mode == "cli" or (client.device is None and mode in QUIET)
