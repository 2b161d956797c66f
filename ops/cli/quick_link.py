"""Sends a few requests to a supervisor or gateway of this host over a minimal WebSocket client.

A person waits for its result at each Tab, so it imports neither typer nor the packages of links,
and implements the small part of the protocol (RFC 6455) that two requests need.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

WITHIN = 1.0  # seconds
_UPGRADE = (
    "GET / HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dHJ1bmtsaW5lLWtleXMtMQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_SCOPES = ["operator.read", "operator.pairing"]


class QuickLink:
    """A connection to a supervisor or a gateway. Its methods raise any exception on failure."""

    def __init__(self, link: socket.socket, host: str, client: Mapping[str, str]) -> None:
        self._link = link
        self._file = link.makefile("rb")
        self._client = {"version": "keys", "platform": "linux", **client}
        link.sendall(_UPGRADE.format(host).encode())
        if b" 101 " not in self._file.readline():
            raise OSError("no WebSocket")
        while self._file.readline().strip():
            pass

    def begin(self, auth: Mapping[str, str]) -> None:
        """Send ``connect`` with the secrets in ``auth``."""
        while self._message().get("event") != "connect.challenge":
            pass
        params = {
            "minProtocol": 3,
            "maxProtocol": 4,
            "client": self._client,
            "role": "operator",
            "scopes": _SCOPES,
            "caps": [],
        }
        self.ask("connect", params | ({"auth": auth} if auth else {}))

    def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a request."""
        request = {"type": "req", "id": method, "method": method, "params": params}
        self._send(json.dumps(request).encode())
        while True:
            found = self._message()
            if found.get("id") == method:
                payload: dict[str, Any] = found["payload"]
                return payload

    def _send(self, data: bytes) -> None:
        # The mask hides a text from proxies; there is none, so zeros will do.
        self._link.sendall(struct.pack("!BBH4x", 0x81, 0x80 | 126, len(data)) + data)

    def _message(self) -> dict[str, Any]:
        while True:
            text = b""
            final, kind = False, 0
            while not final:
                first, length = self._file.read(2)
                final, kind = bool(first & 0x80), kind or first & 0x0F
                if length == 126:
                    (length,) = struct.unpack("!H", self._file.read(2))
                elif length == 127:
                    (length,) = struct.unpack("!Q", self._file.read(8))
                text += self._file.read(length)
            if kind == 1:
                found: dict[str, Any] = json.loads(text)
                return found
            if kind == 8:
                raise OSError("the connection was closed")


@contextmanager
def supervisor_link(path: str) -> Iterator[QuickLink]:
    """Connect to the supervisor whose socket is at ``path``, in a directory of ours."""
    if os.lstat(os.path.dirname(path)).st_uid != os.geteuid():  # as ``SocketPaths.require_ours``
        raise PermissionError(path)
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(WITHIN)
        link.connect(path)
        found = QuickLink(link, "localhost", {"id": "cli", "mode": "cli"})
        found.begin({})
        yield found


@contextmanager
def gateway_link(access: Mapping[str, Any]) -> Iterator[QuickLink]:
    """Connect to the gateway that an answer of ``gateway.access`` describes."""
    parts = urlsplit(access["url"])
    host = parts.hostname or ""
    secrets = {name: _revealed(access[name]) for name in ("token", "password")}
    auth = {name: secret for name, secret in secrets.items() if secret}
    with socket.create_connection((host, parts.port or 80), WITHIN) as plain:
        link = plain
        if parts.scheme == "wss":
            from ipc.identity.trust import trusting  # late: ssl takes 10 ms

            link = trusting(access["certificate"]).wrap_socket(plain, server_hostname=host)
        found = QuickLink(link, parts.netloc, {"id": "gateway-client", "mode": "backend"})
        found.begin(auth)
        yield found


def _revealed(secret: Any) -> str | None:
    """Resolve a reference to a secret, unless that runs a command; ``None`` if it cannot.

    A command may ask the user for input, which is unexpected while completing.
    """
    if not isinstance(secret, Mapping):
        return secret or None
    name = str(secret["id"])
    if secret["source"] == "env":
        return os.environ.get(name)
    if secret["source"] == "file":
        with open(os.path.expanduser(name), encoding="utf-8") as file:
            return file.read().removesuffix("\n").removesuffix("\r")
    return None
