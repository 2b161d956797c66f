"""Files of messages are served to whom has a ticket, and nothing in them runs."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ipc.media import account_directory
from runtime.gateway.http.media import byte_range
from tests.support.gateway_rig import GatewayRig, gateway_rig

ID, KEY = "ab" * 16, "telegram:one"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 3000
HTML = b"<html><script>alert(document.domain)</script></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


class MediaRig:
    """A gateway, and the directory of an account's files beside it."""

    def __init__(self, rig: GatewayRig) -> None:
        self.rig = rig
        self.place = account_directory(Path(rig.parts.boot.state_dir), KEY)
        self.place.mkdir(parents=True)

    def put(self, data: bytes, about: str = '{"name":"a.png","mimeType":"text/html"}') -> None:
        (self.place / ID).write_bytes(data)
        (self.place / f"{ID}.json").write_text(about)

    def path(self, id: str = ID, key: str = KEY, now: float | None = None) -> str:
        return self.rig.parts.tickets.address(key, id, now or time.time())

    async def get(
        self, path: str | None = None, method: str = "GET", **headers: str
    ) -> tuple[int, bytes, Any]:
        url = f"http://127.0.0.1:{self.rig.port}{path or self.path()}"
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, headers=sent) as answer,
        ):
            return answer.status, await answer.read(), answer.headers


@asynccontextmanager
async def media_rig() -> AsyncIterator[MediaRig]:
    async with gateway_rig() as rig:
        yield MediaRig(rig)


async def test_a_picture_is_shown_and_harmless() -> None:
    async with media_rig() as media:
        media.put(PNG)
        status, body, headers = await media.get()
        assert (status, body) == (200, PNG)
        assert headers["Content-Type"] == "image/png"
        assert headers["Content-Disposition"] == "inline; filename*=UTF-8''a.png"
        assert headers["Content-Security-Policy"].startswith("sandbox;")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Length"] == str(len(PNG))
        status, body, headers = await media.get(method="HEAD")
        assert (status, body, headers["Content-Length"]) == (200, b"", str(len(PNG)))


@pytest.mark.parametrize("data", [HTML, SVG, b"%PDF-1.7", b"", b"MZ"])
async def test_what_could_run_is_a_download_whatever_it_claims_to_be(data: bytes) -> None:
    async with media_rig() as media:
        media.put(data, '{"name":"x\\r\\nSet-Cookie: a=b.html","mimeType":"image/png"}')
        status, body, headers = await media.get()
        assert (status, body) == (200, data)
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''x")
        assert headers["Content-Security-Policy"].startswith("sandbox;")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in headers


async def test_without_a_good_ticket_there_is_nothing() -> None:
    async with media_rig() as media:
        media.put(PNG)
        other = media.path("cd" * 16).partition("?")[2]
        for path in (
            f"/media/{ID}",
            f"/media/{ID}?t=x",
            f"/media/{ID}?{other}",
            media.path(now=time.time() - 301),
            media.path(key="telegram:two").replace("telegram:two", KEY) + "x",
        ):
            status, body, headers = await media.get(path)
            assert (status, PNG in body) == (403, False), path
            assert headers["Content-Security-Policy"].startswith("sandbox;")
        assert (await media.get("/media/../devices.json?t=x"))[0] == 404
        assert (await media.get("/media/"))[0] == 404
        assert (await media.get(method="POST"))[0] == 405


async def test_the_ticket_of_another_account_does_not_find_the_file() -> None:
    async with media_rig() as media:
        media.put(PNG)
        assert (await media.get(media.path(key="telegram:two")))[0] == 404
        assert (await media.get(media.path(key="../telegram:one/x")))[0] == 404


async def test_links_and_pipes_that_a_worker_leaves_are_not_followed() -> None:
    async with media_rig() as media:
        secret = Path(media.rig.parts.boot.state_dir) / "secret"
        secret.write_text("secret")
        (media.place / ID).symlink_to(secret)
        assert (await media.get())[0] == 404
        (media.place / ID).unlink()
        os.mkfifo(media.place / ID)
        assert (await media.get())[0] == 404
        (media.place / ID).unlink()
        media.put(PNG)
        (media.place / f"{ID}.json").unlink()
        (media.place / f"{ID}.json").symlink_to(secret)
        assert (await media.get())[2]["Content-Disposition"] == "inline"
        (media.place / f"{ID}.json").unlink()
        (media.place / f"{ID}.json").write_text("[" * 1000)
        assert (await media.get())[2]["Content-Disposition"] == "inline"


async def test_a_part_of_a_file() -> None:
    async with media_rig() as media:
        media.put(PNG)
        size = len(PNG)
        status, body, headers = await media.get(Range="bytes=10-19")
        assert (status, body) == (206, PNG[10:20])
        assert headers["Content-Range"] == f"bytes 10-19/{size}"
        assert (await media.get(Range="bytes=-5"))[1] == PNG[-5:]
        assert (await media.get(Range=f"bytes={size - 3}-"))[1] == PNG[-3:]
        status, _, headers = await media.get(Range=f"bytes={size}-")
        assert (status, headers["Content-Range"]) == (416, f"bytes */{size}")
        assert (await media.get(If_None_Match=headers.get("ETag", f'"{ID}"')))[0] == 304


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", (0, 100)),
        ("bytes=0-0", (0, 1)),
        ("bytes=0-1000", (0, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=-0", None),
        ("bytes=100-", None),
        ("bytes=-", None),
        ("bytes=5-4", (0, 100)),
        ("bytes=0-1,5-6", (0, 100)),
        ("items=0-1", (0, 100)),
        ("bytes=a-b", (0, 100)),
        ("bytes=5", (0, 100)),
        ("bytes=" + "9" * 100 + "-", None),
    ],
)
def test_ranges(text: str, found: tuple[int, int] | None) -> None:
    headers = {"Range": text} if text else {}
    assert byte_range(headers, 100, '"x"') == found
    assert byte_range(headers | {"If-Range": '"y"'}, 100, '"x"') == (0, 100)
