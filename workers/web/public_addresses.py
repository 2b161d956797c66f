"""Connects only to public addresses, whatever a host name resolves to.

Otherwise a person who chooses a URL could reach services that listen only for this host and its
networks (server-side request forgery). The connection goes to the address that was checked, so a
name that resolves differently a moment later changes nothing (DNS rebinding).
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from ipc.dial import resolve
from workers.media.addresses import is_public

USER_AGENT = "Trunkline"

# Name, port and family to what getaddrinfo(3) finds: family, kind, protocol, name, address.
LookUp = Callable[[str, int, int], Awaitable[list[tuple[int, int, int, str, tuple[Any, ...]]]]]


class PrivateAddress(OSError):
    """A host name resolves only to addresses of this host or its networks."""


class PublicResolver(AbstractResolver):
    """A resolver for aiohttp that returns public addresses only, unless ``allow_private``.

    aiohttp does not call a resolver for a literal IP address: check that with ``is_public``.
    ``look_up`` finds the addresses of a name, by default the system.
    """

    def __init__(self, *, allow_private: bool = False, look_up: LookUp | None = None) -> None:
        self._allow_private = allow_private
        self._look_up = look_up or _ask_system

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of ``host``; raises ``OSError``, also where all are private."""
        found = await self._look_up(host, port, family)
        results = [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
            if self._allow_private or is_public(str(address[0]))
        ]
        if not results:
            raise PrivateAddress(None, f"{host} leads to private addresses only")
        return results

    async def close(self) -> None:
        """Do nothing: no resource is held."""


def public_session(
    limits: aiohttp.ClientTimeout, *, allow_private: bool, behind_proxy: bool
) -> aiohttp.ClientSession:
    """Return an HTTP session for a URL from the configuration; the caller closes it.

    It keeps no cookies and decompresses nothing, so that what is read is what was sent. Behind a
    proxy it is the proxy that resolves: only its own name is asked for here.
    """
    resolver = PublicResolver(allow_private=allow_private or behind_proxy)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=resolver),
        timeout=limits,
        headers={"User-Agent": USER_AGENT},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )


async def _ask_system(host: str, port: int, family: int) -> Any:
    return await resolve(host, port, family=family, flags=socket.AI_ADDRCONFIG)
