"""Who is connected: the rows of ``system-presence`` and of the event ``presence``.

Many clients that come and go make one broadcast a second, not one each: each would be the
whole list to everybody.
"""

from __future__ import annotations

import platform
import socket
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

if TYPE_CHECKING:
    from runtime.gateway.client import Client

MAX_GONE = 20  # Protocol 3 still lists those who have left
SILENT = frozenset({"backend", "cli", "probe"})  # Protocol 4 hides these without a device


class Presence:
    """``version`` grows with every change."""

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
        self._rows: dict[Client, dict[str, Any]] = {}
        self._gone: deque[dict[str, Any]] = deque(maxlen=MAX_GONE)

    def add(self, client: Client) -> bool:
        """Enter a client; false when nobody needs to be told."""
        self._rows[client] = _row(client)
        self.version += 1
        return not _hidden(client)

    def remove(self, client: Client) -> bool:
        """Take a client out; false when nobody needs to be told."""
        row = self._rows.pop(client, None)
        if row is None:
            return False
        self._gone.appendleft(row | {"reason": "disconnect", "ts": _now()})
        self.version += 1
        return not _hidden(client)

    def rows(self, protocol: int) -> list[dict[str, Any]]:
        """Return everybody, the gateway first, as that protocol shows them."""
        own = self._own | {"ts": _now()}
        if protocol < 4:
            return [own, *self._rows.values(), *self._gone]
        return [own, *(row for client, row in self._rows.items() if not _hidden(client))]


def _row(client: Client) -> dict[str, Any]:
    about = client.connect.client
    name = about.id if about.display_name is UNSET else about.display_name or about.id
    row: dict[str, Any] = {
        "host": name,
        "version": about.version,
        "platform": about.platform,
        "mode": about.mode,
        "reason": "connect",
        "roles": [client.role],
        "scopes": list(client.scopes),
        "text": f"Node: {name} · mode {about.mode}",
        "ts": _now(),
    }
    optional = {
        "deviceFamily": about.device_family,
        "modelIdentifier": about.model_identifier,
        "instanceId": about.instance_id,
    }
    row |= {key: value for key, value in optional.items() if value is not UNSET}
    if client.connect.device is not UNSET:
        row["deviceId"] = client.connect.device.id
    return row


def _hidden(client: Client) -> bool:
    return client.connect.device is UNSET and client.connect.client.mode in SILENT


def _now() -> int:
    return int(time.time() * 1000)
