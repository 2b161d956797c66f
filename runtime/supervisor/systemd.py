"""Reports to systemd, if it started us: ready, status, watchdog, stopping.

The protocol of sd_notify(3): datagrams of ``NAME=value`` lines to the socket that
``NOTIFY_SOCKET`` names. Without that variable nothing is sent.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping, MutableMapping
from typing import Self


class Notifier:
    """Sends datagrams to the service manager; never raises.

    ``watchdog`` is the interval in seconds for watchdog messages: half of the unit's
    ``WatchdogSec``, as sd_watchdog_enabled(3) advises; 0 for none.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self.watchdog = _half_of_the_watchdog(environ) if self._address else 0.0
        self._status = ""

    @classmethod
    def from_environ(cls, environ: MutableMapping[str, str]) -> Self:
        """Create one from ``environ`` and remove its variables, which children must not inherit."""
        notifier = cls(environ)
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
            environ.pop(name, None)
        return notifier

    @property
    def wanted(self) -> bool:
        """Whether there is a service manager to report to."""
        return bool(self._address)

    def send_ready(self, status: str) -> None:
        """Report that the service works."""
        self._status = status
        self._send(f"READY=1\nMAINPID={os.getpid()}\nSTATUS={status}")

    def send_status(self, text: str) -> None:
        """Send a status line for people, if it has changed."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    def ping(self) -> None:
        """Send a watchdog message, which shows that the event loop runs."""
        self._send("WATCHDOG=1")

    def send_reloading(self) -> None:
        """Report that the configuration was read again; ``ready`` must follow."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def send_stopping(self) -> None:
        """Report that the shutdown has begun."""
        self._send("STOPPING=1\nSTATUS=stopping")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        # A name that begins with @ is in the abstract namespace, unix(7).
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
        ):
            sock.setblocking(False)
            sock.sendto(text.encode(), address)


def _half_of_the_watchdog(environ: Mapping[str, str]) -> float:
    given = environ.get("WATCHDOG_USEC", "")
    meant = environ.get("WATCHDOG_PID", "")
    if not given.isdigit() or (meant and meant != str(os.getpid())):
        return 0.0
    return int(given) / 2_000_000
