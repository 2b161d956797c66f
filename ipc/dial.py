"""Opens TCP connections to hosts with several addresses, of which some may not respond.

By RFC 8305 (Happy Eyeballs) the next address is tried a quarter of a second after the previous one,
which is still being tried, and the first that answers is used. So a broken IPv6 route costs a
quarter of a second instead of the whole time limit. The address that worked is tried first next
time.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import OrderedDict
from collections.abc import Iterable
from itertools import chain, zip_longest
from typing import Any

from aiohappyeyeballs import start_connection

from ipc.hosts import wrong_name

NEXT_AFTER = 0.25  # seconds; RFC 8305, section 5
REMEMBERED = 64  # hosts

AddressInfo = tuple[Any, Any, int, str, tuple[Any, ...]]
_worked: OrderedDict[tuple[str, int], str] = OrderedDict()


async def dial(host: str, port: int, *, first: str = "", last: str = "") -> socket.socket:
    """Return a socket connected to ``host``, a name or an IP address.

    ``first`` and ``last`` are addresses to try first and last if the host has them; the default of
    ``first`` is the one at which this process reached the host before. Raises ``OSError``, also
    for an invalid name.
    """
    key = host, port
    infos = in_order(await resolve(host, port), first or _worked.get(key, ""), last)
    connected = await start_connection(infos, happy_eyeballs_delay=NEXT_AFTER)
    _worked[key] = address_of(connected)
    _worked.move_to_end(key)
    if len(_worked) > REMEMBERED:
        _worked.popitem(last=False)
    return connected


async def resolve(host: str, port: int, *, family: int = 0, flags: int = 0) -> list[AddressInfo]:
    """Resolve a host. Raises ``OSError`` for any failure, also for an invalid name.

    ``family`` and ``flags`` are those of getaddrinfo(3).
    """
    try:
        return await asyncio.get_running_loop().getaddrinfo(
            host, port, family=family, type=socket.SOCK_STREAM, flags=flags
        )
    except ValueError as error:  # UnicodeError is one
        text = f"{host!r} {wrong_name(host) or 'is not a host name'}"
        raise OSError(errno.EINVAL, text) from error


def in_order(found: Iterable[AddressInfo], first: str, last: str) -> list[AddressInfo]:
    """Return the addresses in the order to try, alternating families as RFC 8305 requires."""
    infos = list(found)
    family = infos[0][0] if infos else None
    same = [info for info in infos if info[0] == family]
    other = [info for info in infos if info[0] != family]
    pairs = chain.from_iterable(zip_longest(same, other))
    turns = [info for info in pairs if info is not None]
    return sorted(turns, key=lambda info: (info[4][0] != first) + (info[4][0] == last))


def address_of(connected: socket.socket) -> str:
    """Return the IP address that a socket is connected to; empty if it is disconnected."""
    try:
        return str(connected.getpeername()[0])
    except OSError:
        return ""
