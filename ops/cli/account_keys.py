"""Prints the keys of the accounts and agents of a running daemon, for the completion of shells.

A person waits for it at each Tab: so it imports neither typer nor the packages of links, and speaks
by itself the little of the WebSocket protocol (RFC 6455) that two requests take. Whatever goes
wrong prints nothing.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import Any

WITHIN = 1.0  # seconds
_UPGRADE = (
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dHJ1bmtsaW5lLWtleXMtMQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_CONNECT = {
    "minProtocol": 3,
    "maxProtocol": 4,
    "client": {"id": "cli", "version": "keys", "platform": "linux", "mode": "cli"},
    "role": "operator",
    "scopes": ["operator.read"],
    "caps": [],
}
_OPTIONS = {"--state-dir": "state_dir", "--config": "config_path", "--profile": "profile"}


def main(args: Sequence[str]) -> None:
    """Print one key on a line; ``args`` are the words of the command line that is completed."""
    try:
        for key in keys(socket_path(args)):
            sys.stdout.write(f"{key}\n")
    except Exception:  # noqa: BLE001, S110 - a completion has nobody to tell
        pass


def socket_path(words: Sequence[str]) -> str:
    """Return the socket of the supervisor that a command line means."""
    from pathlib import Path

    from runtime.config.places import Flags, resolve

    given: dict[str, str] = {}
    for word, after in zip(words, [*words[1:], ""], strict=False):
        name, equals, value = word.partition("=")
        if name in _OPTIONS:
            given[_OPTIONS[name]] = value if equals else after
    flags = Flags(
        state_dir=Path(given["state_dir"]) if "state_dir" in given else None,
        config_path=Path(given["config_path"]) if "config_path" in given else None,
        profile=given.get("profile"),
        dev="--dev" in words,
    )
    return str(resolve(os.environ, flags).run_dir / "cli.sock")


def keys(path: str) -> Iterator[str]:
    """Yield the keys that the supervisor at a socket has. Raises what goes wrong."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(WITHIN)
        link.connect(path)
        stream = _JsonMessages(link)
        link.sendall(_UPGRADE.encode())
        stream.head()
        stream.event("connect.challenge")
        stream.ask("connect", _CONNECT)
        status = stream.ask("supervisor.status", {})
    for name in ("accounts", "agents"):
        for row in status.get(name, ()):
            yield row["account"]


class _JsonMessages:
    """The messages of a connection, whose texts are JSON."""

    def __init__(self, link: socket.socket) -> None:
        import json

        self._link = link
        self._file = link.makefile("rb")
        self._json = json

    def head(self) -> None:
        """Read the answer to the upgrade."""
        if b" 101 " not in self._file.readline():
            raise OSError("no WebSocket")
        while self._file.readline().strip():
            pass

    def event(self, name: str) -> None:
        """Read until an event comes."""
        while self._message().get("event") != name:
            pass

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a request."""
        request = {"type": "req", "id": method, "method": method, "params": params}
        self._send(self._json.dumps(request).encode())
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
                found: dict[str, Any] = self._json.loads(text)
                return found
            if kind == 8:
                raise OSError("the supervisor closed the connection")
