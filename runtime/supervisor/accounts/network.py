"""Watches whether this host has a route to the network, and notices when one returns.

The kernel reports on a netlink socket when links, addresses and routes change (rtnetlink(7));
then, and only then, the routes are read from /proc. Without netlink they are read every few
seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

GROUPS = 0x1 | 0x40 | 0x400  # RTMGRP_LINK, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_ROUTE
SETTLE_SECONDS = 0.5  # a link that comes up brings a dozen messages
CHECK_SECONDS = 5.0  # without netlink
RETURN_SECONDS = 10.0  # between two reported returns: a flapping link is reported less often
RTF_UP, RTF_REJECT = 0x1, 0x200  # route(8)


def has_route(proc: Path = Path("/proc/net")) -> bool:
    """Return whether there is a route to other hosts: a default one, or any besides our own."""
    return _has_ipv4(proc / "route") or _has_ipv6(proc / "ipv6_route")


def _has_ipv4(path: Path) -> bool:
    for fields in _rows(path)[1:]:
        if len(fields) >= 8 and fields[0] != "lo" and _is_up(fields[3]):
            return True
    return False


def _has_ipv6(path: Path) -> bool:
    """Return whether an IPv6 route leads to other hosts: link-local and multicast ones do not."""
    for fields in _rows(path):
        if len(fields) < 10 or fields[9] == "lo" or not _is_up(fields[8]):
            continue
        if not fields[0].startswith(("fe8", "ff")):
            return True
    return False


def _rows(path: Path) -> list[list[str]]:
    try:
        return [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return []


def _is_up(flags: str) -> bool:
    value = int(flags, 16)
    return bool(value & RTF_UP) and not value & RTF_REJECT


class Network:
    """Calls ``on_return`` when a route to the network has come back.

    ``has_route`` returns whether there is one; ``notices`` opens the socket on which changes are
    announced, ``None`` where there is none.
    """

    def __init__(
        self,
        on_return: Callable[[], None],
        *,
        has_route: Callable[[], bool] = has_route,
        notices: Callable[[], socket.socket | None] | None = None,
    ) -> None:
        self._on_return = on_return
        self._has_route = has_route
        self._notices = notices or netlink
        self._changed = asyncio.Event()
        self.up = has_route()

    async def run(self) -> None:
        """Watch until cancelled."""
        loop = asyncio.get_running_loop()
        notices = self._notices()
        if notices is not None:
            loop.add_reader(notices.fileno(), self._on_notice, notices)
        reported = -RETURN_SECONDS
        try:
            while True:
                await self._wait(notices is not None)
                was, self.up = self.up, self._has_route()
                if self.up and not was:
                    await asyncio.sleep(max(0.0, reported + RETURN_SECONDS - loop.time()))
                    self.up = self._has_route()
                    if self.up:
                        reported = loop.time()
                        self._on_return()
        finally:
            if notices is not None:
                loop.remove_reader(notices.fileno())
                notices.close()

    async def _wait(self, reported: bool) -> None:
        if not reported:
            await asyncio.sleep(CHECK_SECONDS)
            return
        await self._changed.wait()
        await asyncio.sleep(SETTLE_SECONDS)
        self._changed.clear()

    def _on_notice(self, notices: socket.socket) -> None:
        """Read and discard all messages: only their arrival matters."""
        with contextlib.suppress(OSError):  # overrun: there were more messages than fit
            while notices.recv(65536):
                self._changed.set()
        self._changed.set()


def netlink() -> socket.socket | None:
    """Open a socket on which the kernel announces changes; ``None`` where that is not allowed."""
    try:
        notices = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    except OSError:
        return None
    try:
        notices.setblocking(False)
        notices.bind((0, GROUPS))
    except OSError:
        notices.close()
        return None
    return notices
