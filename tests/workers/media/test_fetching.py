"""What an address holds is fetched from public hosts alone, after every redirect too."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ipc.frames.bootstrap import MediaBoot
from tests.support.web_server import serving
from workers.errors import MediaFailed
from workers.media.fetching import addresses_of, parsed
from workers.media.policy import MediaPolicy
from workers.media.store import MediaStore

ONE = "http://one.example"
Handler = Callable[[web.Request], Any]


async def moved(request: web.Request) -> web.Response:
    raise web.HTTPFound(request.query["to"])


async def around(request: web.Request) -> web.Response:
    raise web.HTTPFound("/around")


async def image(request: web.Request) -> web.Response:
    headers = {"Content-Disposition": 'attachment; filename="../a.png"', "X-Host": request.host}
    return web.Response(body=b"\x89PNG\r\n\x1a\n", content_type="image/png", headers=headers)


async def huge(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "99999999999"})
    await response.prepare(request)
    await asyncio.sleep(60)
    return response


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(bytes(100_000))


async def broken(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"abc")
    assert request.transport is not None
    request.transport.abort()
    return response


async def failing(request: web.Request) -> web.Response:
    return web.Response(status=int(request.query["status"]))


HANDLERS: dict[str, Handler] = {
    "/moved": moved,
    "/around": around,
    "/image": image,
    "/huge": huge,
    "/endless": endless,
    "/broken": broken,
    "/failing": failing,
}


@asynccontextmanager
async def server() -> AsyncIterator[str]:
    """Serve on loopback, which is private; yield the address."""
    app = web.Application()
    for path, handler in HANDLERS.items():
        app.router.add_get(path, handler)
    async with serving(app) as address:
        yield f"http://{address}"


def store(tmp_path: Path, *allow: str, max_down: int = 1000) -> MediaStore:
    return MediaStore(MediaBoot(str(tmp_path / "media"), allow=list(allow)), max_down=max_down)


async def refusal(files: MediaStore, url: str) -> MediaFailed:
    with pytest.raises(MediaFailed) as seen:
        await files.fetch(url)
    place = files.directory.place
    assert not place.exists() or list(place.iterdir()) == []
    return seen.value


async def test_a_file_is_stored_with_what_the_server_says_of_it(tmp_path: Path) -> None:
    async with server() as root:
        files = store(tmp_path, root)
        found = await files.fetch(f"{root}/image?secret=1")
        assert (found.name, found.mime_type, found.size_bytes) == ("a.png", "image/png", 8)
        async with files.open(f"{root}/image") as file:
            assert file.size == 8


async def test_the_host_is_asked_by_its_name_at_the_address_that_was_checked(
    tmp_path: Path,
) -> None:
    async with server() as root:
        port = root.rpartition(":")[2]
        named = f"http://localhost:{port}"
        assert (await store(tmp_path, named).fetch(f"{named}/image")).name == "a.png"


async def test_behind_a_proxy_the_address_that_was_checked_is_asked_for(tmp_path: Path) -> None:
    heads: list[bytes] = []

    async def proxied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
        await writer.drain()
        writer.close()

    proxy = await asyncio.start_server(proxied, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    boot = MediaBoot(str(tmp_path / "media"), allow=["http://localhost:5"])
    async with proxy:
        files = MediaStore(boot, proxy=address)
        assert (await files.fetch("http://localhost:5/a")).size_bytes == 2
        with pytest.raises(MediaFailed, match="private address"):
            await files.fetch("http://10.0.0.1/")
    (head,) = heads
    assert head.splitlines()[0] in (
        b"GET http://127.0.0.1:5/a HTTP/1.1",
        b"GET http://[::1]:5/a HTTP/1.1",
    )
    assert b"Host: localhost:5\r\n" in head


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "https://localhost/x",
        "http://0x7f.1/x",
        "http://2130706433/x",
        "http://[::1]/x",
        "http://[::ffff:169.254.169.254]/latest/meta-data/",
        "http://10.0.0.1/x",
    ],
)
async def test_private_addresses_are_refused(url: str, tmp_path: Path) -> None:
    error = await refusal(store(tmp_path), url)
    assert error.reason == "forbidden"
    assert "private address" in str(error)
    assert "media.allow" in str(error)


async def test_a_redirect_to_a_private_address_is_refused(tmp_path: Path) -> None:
    async with server() as root:
        files = store(tmp_path, f"{root}/moved")  # and nothing else of it
        assert (await refusal(files, f"{root}/moved?to=/image")).reason == "forbidden"
        assert (await refusal(files, f"{root}/moved?to=http://10.0.0.1/")).reason == "forbidden"
        assert (await refusal(files, f"{root}/moved?to=file:///etc/passwd")).reason == "invalid"
        files = store(tmp_path, root)
        assert (await files.fetch(f"{root}/moved?to=/image")).name == "a.png"


async def test_the_number_of_redirects_is_limited(tmp_path: Path) -> None:
    async with server() as root:
        error = await refusal(store(tmp_path, root), f"{root}/around")
        assert "too many redirects" in str(error)


async def test_one_private_address_among_several_is_enough(monkeypatch: Any) -> None:
    """A name that has a public and a private address could be asked for either."""
    loop = asyncio.get_running_loop()

    async def resolved(*_: Any, **__: Any) -> list[Any]:
        kinds = socket.AF_INET, socket.SOCK_STREAM, 6, ""
        return [(*kinds, ("1.1.1.1", 80)), (*kinds, ("192.168.0.1", 80))]

    monkeypatch.setattr(type(loop), "getaddrinfo", resolved, raising=False)
    with pytest.raises(MediaFailed, match=r"192\.168\.0\.1"):
        await addresses_of(parsed(ONE), MediaPolicy())
    assert await addresses_of(parsed(ONE), MediaPolicy([ONE])) == ["1.1.1.1", "192.168.0.1"]


async def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    async with server() as root:
        files = store(tmp_path, root)
        assert (await refusal(files, f"{root}/huge")).reason == "too_long"
        assert (await refusal(files, f"{root}/endless")).reason == "too_long"


async def test_what_breaks_off_is_not_stored(tmp_path: Path) -> None:
    async with server() as root:
        error = await refusal(store(tmp_path, root), f"{root}/broken?token=hidden")
        assert error.reason == "unavailable"
        assert "hidden" not in str(error)


@pytest.mark.parametrize(("status", "reason"), [(404, "not_found"), (503, "unavailable")])
async def test_a_refusal_of_the_server_has_its_reason(
    status: int, reason: str, tmp_path: Path
) -> None:
    async with server() as root:
        error = await refusal(store(tmp_path, root), f"{root}/failing?status={status}")
        assert error.reason == reason
        assert f"answers {status}" in str(error)


@pytest.mark.parametrize(
    "url",
    ["https://user:pw@example.com/", "ftp://example.com/", "http:///x", "http://[::1/", "http://"],
)
def test_what_is_no_address_is_not_asked_for(url: str) -> None:
    with pytest.raises(MediaFailed) as seen:
        parsed(url)
    assert seen.value.reason == "invalid"
    assert "pw" not in str(seen.value)
