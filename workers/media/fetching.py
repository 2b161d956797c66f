"""Fetches a file over http or https, but not from private addresses.

The name is resolved here, every address that it has is checked, and the connection goes to the
address that was checked: a name that resolves to another one a moment later changes nothing. So
does every redirect. Behind the account's proxy it is the same: the proxy is given the address.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
from yarl import URL

from ipc import timeouts
from ipc.connection_errors import failure_text, host_and_port, is_connection_failure
from ipc.dial import resolve
from ipc.media import clean_name
from workers.errors import MediaFailed
from workers.media.addresses import is_public
from workers.media.policy import MediaPolicy

REDIRECTS = 5
RESOLVE_SECONDS = 10.0
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0  # without a byte
TOTAL_SECONDS = 110.0  # less than a call may take
MOVED = (301, 302, 303, 307, 308)
TEMPORARY = (408, 425, 429)


class Fetched(msgspec.Struct, frozen=True):
    """The response of a server, with its content not read yet."""

    content: AsyncIterator[bytes]
    name: str | None
    type: str | None
    size: int | None


@asynccontextmanager
async def fetched(
    url: str, policy: MediaPolicy, proxy: str | None, most: int
) -> AsyncIterator[Fetched]:
    """Get ``url``, following redirects; at most ``most`` bytes. Raises ``MediaFailed``."""
    limits = aiohttp.ClientTimeout(
        total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS
    )
    async with aiohttp.ClientSession(
        timeout=limits,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
    ) as session:
        address = parsed(url)
        for _ in range(REDIRECTS + 1):
            response = await _get(session, address, policy, proxy)
            async with response:
                if response.status not in MOVED:
                    yield _found(response, address, most)
                    return
                address = _redirected(address, response.headers.get("Location", ""))
        raise MediaFailed(f"{shown(url)}: too many redirects", reason="unavailable")


def parsed(url: str) -> URL:
    """Parse a URL and check everything but what its host resolves to. Raises ``MediaFailed``."""
    try:
        found = URL(url)
        host = found.raw_host
    except ValueError:
        raise MediaFailed(f"{url[:100]} is not a URL", reason="invalid") from None
    if found.scheme not in ("http", "https") or not host or not found.port:
        raise MediaFailed(f"{url[:100]} is not an http or https URL", reason="invalid")
    if found.raw_user is not None or found.raw_password is not None:
        raise MediaFailed("a URL with a user name or password is not fetched", reason="invalid")
    return found


def shown(url: str | URL) -> str:
    """Return a URL without its query, which may hold a secret."""
    return str(url).partition("?")[0].partition("#")[0][:200]


async def addresses_of(url: URL, policy: MediaPolicy) -> list[str]:
    """Resolve the host of a URL. Raises ``MediaFailed`` when one of its addresses is private."""
    host, port = url.raw_host or "", url.port or 443
    try:
        async with timeouts.timeout(RESOLVE_SECONDS):
            found = await resolve(host, port)
    except (OSError, TimeoutError):
        raise MediaFailed(
            f"{shown(url)}: the name {host} could not be resolved", reason="unavailable"
        ) from None
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    if not policy.allows_address(str(url)):
        for address in addresses:
            if not is_public(address):
                raise MediaFailed(
                    f"{shown(url)}: {host} has the private address {address}, from which nothing"
                    " is fetched unless media.allow has the URL's beginning",
                    reason="forbidden",
                )
    return addresses


async def _get(
    session: aiohttp.ClientSession, url: URL, policy: MediaPolicy, proxy: str | None
) -> aiohttp.ClientResponse:
    """Send the request to the first address that accepts a connection; return the response."""
    failure = MediaFailed(f"{shown(url)}: no address", reason="unavailable")
    for address in await addresses_of(url, policy):
        try:
            return await session.get(
                url.with_host(address),
                allow_redirects=False,
                server_hostname=url.raw_host if url.scheme == "https" else None,
                headers={"Host": _host_header(url)},
                proxy=proxy,
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            failure = MediaFailed(
                f"{shown(url)} could not be fetched: {_why(error, url)}", reason="unavailable"
            )
    raise failure


def _why(error: BaseException, url: URL) -> str:
    """Describe a failed connection in one line, with no part of the URL but its host and port."""
    if is_connection_failure(error):
        return failure_text(error, host_and_port(url.raw_host or "", url.port or 443))
    return type(error).__name__


def _host_header(url: URL) -> str:
    host = url.raw_host or ""
    host = f"[{host}]" if ":" in host else host
    return host if url.is_default_port() else f"{host}:{url.port}"


def _found(response: aiohttp.ClientResponse, url: URL, most: int) -> Fetched:
    if response.status != 200:
        passing = response.status in TEMPORARY or response.status >= 500
        raise MediaFailed(
            f"{shown(url)}: the server answers {response.status}",
            reason="unavailable" if passing else "not_found",
        )
    size = response.content_length
    if size is not None and size > most:
        raise MediaFailed(
            f"{shown(url)} has {size} bytes, at most {most} are taken", reason="too_long"
        )
    given = response.content_disposition
    name = (given.filename if given else None) or clean_name(url.name)
    return Fetched(_content(response, url), name, response.content_type, size)


async def _content(response: aiohttp.ClientResponse, url: URL) -> AsyncIterator[bytes]:
    try:
        async for data in response.content.iter_any():
            yield data
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise MediaFailed(
            f"{shown(url)}: the connection was lost: {_why(error, url)}", reason="unavailable"
        ) from None


def _redirected(url: URL, location: str) -> URL:
    """Return the target of a redirect; refuse one from https to http."""
    try:
        target = parsed(str(url.join(URL(location))))
    except ValueError:
        target = None
    if not location or target is None or (url.scheme == "https" and target.scheme != "https"):
        raise MediaFailed(
            f"{shown(url)} redirects to an address that is not https", reason="invalid"
        )
    return target
