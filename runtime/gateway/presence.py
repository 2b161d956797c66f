"""Who is connected: the rows of ``system-presence`` and of the event ``presence``.

Many clients that come and go make one broadcast a second, not one each: each would be the
whole list to everybody. Those who have left, and those who only say that they exist
(``system-event``), stay in the list for five minutes.
"""

from __future__ import annotations

import platform
import socket
import time
from typing import Any

import msgspec
from msgspec import UNSET

from runtime.gateway.access.listener import Listener
from runtime.gateway.accounts.snapshot import Picture

KEPT_MS = 300_000
MAX_ROWS = 200  # in one list: the newest; the number of clients is in the metrics
QUIET = frozenset({"backend", "probe"})  # Protocol 4 hides these without a device, and any CLI


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
        self._rows: dict[Listener, dict[str, Any]] = {}
        self._picture = Picture(lambda: self.version, self.rows)
        self._others: dict[str, tuple[bool, dict[str, Any]]] = {}  # hidden in 4?, row

    def add(self, client: Listener) -> bool:
        """Enter a client; false when nobody needs to be told."""
        self._rows[client] = _row(client)
        self._others.pop(_key(client), None)
        self.version += 1
        return not _hidden(client)

    def remove(self, client: Listener) -> bool:
        """Take a client out; false when nobody needs to be told."""
        row = self._rows.pop(client, None)
        if row is None:
            return False
        self._keep(_key(client), _hidden(client), row | {"reason": "disconnect", "ts": _now()})
        self.version += 1
        return not _hidden(client)

    def told(self, said: dict[str, Any]) -> None:
        """Enter what somebody says about himself; it is added to what is known of him."""
        names = ("deviceId", "instanceId", "host", "ip", "text")
        key = str(next(said[name] for name in names if name in said))
        for client, row in self._rows.items():
            if key in (client.device, row.get("instanceId")):
                row |= said | {"ts": _now()}
                break
        else:
            before = self._others.get(key, (False, {}))[1]
            self._keep(key, False, before | said | {"ts": _now()})
        self.version += 1

    def rows(self, protocol: int) -> list[dict[str, Any]]:
        """Return everybody, the gateway first, as that protocol shows them."""
        now = _now()
        for key, (_, row) in list(self._others.items()):
            if now - row["ts"] > KEPT_MS:
                del self._others[key]
        live = [row for client, row in self._rows.items() if protocol < 4 or not _hidden(client)]
        others = [row for hidden, row in self._others.values() if protocol < 4 or not hidden]
        shown = [*live[-MAX_ROWS:], *reversed(others)]
        return [self._own | {"ts": now}, *shown[:MAX_ROWS]]

    def encoded(self, protocol: int) -> msgspec.Raw:
        """Return ``rows`` as JSON text, made anew when somebody came or went, or it is old."""
        return self._picture.of(protocol)

    def _keep(self, key: str, hidden: bool, row: dict[str, Any]) -> None:
        self._others.pop(key, None)
        self._others[key] = hidden, row
        if len(self._others) > MAX_ROWS:
            del self._others[next(iter(self._others))]


def _row(client: Listener) -> dict[str, Any]:
    about = client.connect.client
    name = about.id if about.display_name is UNSET else about.display_name or about.id
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
        "ts": _now(),
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


def _key(client: Listener) -> str:
    instance = client.connect.client.instance_id
    return client.device or (instance if instance is not UNSET else "") or client.id


def _hidden(client: Listener) -> bool:
    mode = client.connect.client.mode
    return mode == "cli" or (client.device is None and mode in QUIET)


def _now() -> int:
    return int(time.time() * 1000)
