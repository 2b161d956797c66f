"""Pages of the canvas host are served to whom may see them, and are strangers to the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.support.devices import NODE, Key, offer
from tests.support.gateway_rig import TOKEN, GatewayRig, gateway_rig
from tests.support.handshakes import connect
from tests.support.until import PATIENCE, until

PLACE = "/__openclaw__/canvas/"
RIGHT = {"Authorization": f"Bearer {TOKEN}"}
SECURE = {
    "Content-Security-Policy": "sandbox allow-scripts",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class CanvasRig:
    """A gateway with a canvas host of two pages."""

    def __init__(self, rig: GatewayRig, root: Path) -> None:
        self.rig = rig
        self.root = root
        self.port = rig.port

    def ticket(self, now: float | None = None) -> str:
        return self.rig.parts.canvas.address("", time.time() if now is None else now)

    async def get(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, Any]:
        url = URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)
        given = RIGHT if headers is None else headers
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, headers=given, allow_redirects=False) as answer,
        ):
            return answer.status, await answer.read(), answer.headers


@asynccontextmanager
async def canvas_rig(root: Path, **more: Any) -> AsyncIterator[CanvasRig]:
    root = root / "canvas"
    (root / "sub").mkdir(parents=True)
    (root / "index.html").write_text("<h1>Hello</h1>")
    (root / "sub" / "index.html").write_text("<p>sub")
    (root / "data.bin").write_bytes(bytes(range(256)) * 4)
    async with gateway_rig(canvas={"enabled": True, "root": str(root)}, **more) as rig:
        yield CanvasRig(rig, root)


async def test_it_is_off_unless_it_is_turned_on() -> None:
    async with gateway_rig() as rig:
        url = f"http://127.0.0.1:{rig.port}{PLACE}"
        async with aiohttp.ClientSession() as session, session.get(url, headers=RIGHT) as answer:
            assert (answer.status, await answer.text()) == (404, "Not Found")
        client = await rig.client()
        assert "pluginSurfaceUrls" not in client.hello


async def test_pages_are_served_with_the_token_or_a_ticket_and_sandboxed(tmp_path: Path) -> None:
    async with canvas_rig(tmp_path) as canvas:
        for path, headers, cors in (
            (PLACE, RIGHT, None),
            (canvas.ticket() + PLACE, {}, "*"),
            (canvas.ticket() + PLACE, {"Origin": "null", "Host": "any.example"}, "*"),
        ):
            status, body, got = await canvas.get(path, headers=headers)
            assert (status, body) == (200, b"<h1>Hello</h1>")
            assert got["Content-Type"] == "text/html; charset=utf-8"
            assert SECURE.items() <= got.items()
            assert got.get("Access-Control-Allow-Origin") == cors
        assert canvas.rig.parts.canvas.counts["served"] == 3


async def test_without_either_they_are_not_from_this_host_either(tmp_path: Path) -> None:
    async with canvas_rig(tmp_path) as canvas:
        old = canvas.ticket(time.time() - 3601)
        for path, headers in (
            (PLACE, {}),
            (PLACE, {"Authorization": "Bearer wrong"}),
            (f"{PLACE}nothing", {}),
            (old + PLACE, {}),
            (old + PLACE, RIGHT),
            ("/__openclaw__/cap/x" + PLACE, {}),
        ):
            status, body, got = await canvas.get(path, headers=headers)
            assert status == 401, path
            assert body == b'{"error":{"message":"Unauthorized","type":"unauthorized"}}'
            assert SECURE.items() <= got.items()
        assert canvas.rig.parts.canvas.counts["unauthorized"] == 6
        assert (
            b'trunkline_canvas_requests_total{outcome="unauthorized"} 6.0'
            in (await canvas.get("/metrics"))[1]
        )


async def test_a_ticket_opens_nothing_else(tmp_path: Path) -> None:
    async with canvas_rig(tmp_path) as canvas:
        for path in ("/metrics", "/health", "/__openclaw__/a2ui/", "/", ""):
            assert (await canvas.get(canvas.ticket() + path, headers={}))[0] == 404, path


async def test_wrong_tokens_are_guesses_as_at_connect(tmp_path: Path) -> None:
    async with canvas_rig(tmp_path, trustedProxies=["127.0.0.1"]) as canvas:
        far = {"X-Forwarded-For": "203.0.113.9"}
        for _ in range(10):
            assert (await canvas.get(PLACE, headers=far | {"Authorization": "Bearer w"}))[0] == 401
        assert (await canvas.get(PLACE, headers=far | RIGHT))[0] == 429


async def test_other_methods_are_not_allowed(tmp_path: Path) -> None:
    async with canvas_rig(tmp_path) as canvas:
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            status, _, got = await canvas.get(PLACE, method)
            assert (status, got["Allow"]) == (405, "GET, HEAD")
        status, body, got = await canvas.get(PLACE, "HEAD")
        assert (status, body, got["Content-Length"]) == (200, b"", "14")


ELSEWHERE = [
    (f"{PLACE}nothing.html", 404, b"not found"),
    (f"{PLACE}Index.html", 404, b"not found"),
    (f"{PLACE}index.html/", 404, b"not found"),
    (f"{PLACE}%2e%2e/canvas/index.html", 400, b"a segment . or .."),
    (f"{PLACE}../canvas/index.html", 400, b"a segment . or .."),
    (f"{PLACE}sub/%2e%2e/index.html", 400, b"a segment . or .."),
    (f"{PLACE}%252e%252e/canvas/index.html", 404, b"not found"),
    (f"{PLACE}sub%2findex.html", 400, b"an escaped slash"),
    (f"{PLACE}sub%5cindex.html", 400, b"a backslash"),
    (f"{PLACE}index.html%00.png", 400, b"a control character"),
    (f"{PLACE}index.html%0d%0aX:y", 400, b"a control character"),
    (f"{PLACE}%c0%ae%c0%ae/x", 400, b"not UTF-8"),
    (f"{PLACE}%zz", 400, b"begins no escape"),
    (f"{PLACE}%2fetc/passwd", 400, b"an escaped slash"),
    (f"{PLACE}/etc/passwd", 404, b"not found"),
    ("/__openclaw__/Canvas/index.html", 404, b"Not Found"),
    ("/__openclaw__/canvasses", 404, b"Not Found"),
    ("/__openclaw__/%63anvas/index.html", 404, b"Not Found"),
    ("/x/../__openclaw__/canvas/index.html", 404, b"Not Found"),
]


async def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    async with canvas_rig(tmp_path) as canvas:
        for path, status, text in ELSEWHERE:
            reader, writer = await asyncio.open_connection("127.0.0.1", canvas.port)
            head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode())
            async with asyncio.timeout(PATIENCE):
                answer = await reader.read()
            assert answer.startswith(f"HTTP/1.1 {status} ".encode()), path
            assert text in answer, path
            writer.close()
            await writer.wait_closed()


async def test_a_directory_is_left_for_its_slash_and_is_not_listed(tmp_path: Path) -> None:
    async with canvas_rig(tmp_path) as canvas:
        (canvas.root / "a:b").mkdir()
        (canvas.root / "a:b" / "index.html").write_text("odd")
        (canvas.root / "empty").mkdir()
        for path, place in (
            (f"{PLACE}sub", "./sub/"),
            (f"{PLACE}sub?x=1&y=%20", "./sub/?x=1&y=%20"),
            (f"{PLACE}a:b", "./a%3Ab/"),
            (PLACE[:-1], "./canvas/"),
        ):
            status, _, got = await canvas.get(path)
            assert (status, got["Location"]) == (302, place)
        assert (await canvas.get(f"{PLACE}sub/"))[1] == b"<p>sub"
        assert (await canvas.get(f"{PLACE}empty/"))[0] == 404


async def test_parts_and_what_a_browser_has_already(tmp_path: Path) -> None:
    async with canvas_rig(tmp_path) as canvas:
        path = f"{PLACE}data.bin"
        status, body, got = await canvas.get(path, headers=RIGHT | {"Range": "bytes=10-19"})
        assert (status, body) == (206, bytes(range(10, 20)))
        assert got["Content-Range"] == "bytes 10-19/1024"
        assert got["Content-Type"] == "application/octet-stream"
        assert (await canvas.get(path, headers=RIGHT | {"Range": "bytes=5000-"}))[0] == 416
        for same in (
            {"If-None-Match": got["ETag"]},
            {"If-Modified-Since": got["Last-Modified"]},
        ):
            status, body, got = await canvas.get(path, headers=RIGHT | same)
            assert (status, body) == (304, b"")
            assert SECURE.items() <= got.items()
        (canvas.root / "data.bin").write_bytes(b"new")
        again = await canvas.get(path, headers=RIGHT | {"If-None-Match": got["ETag"]})
        assert again[:2] == (200, b"new")


async def test_no_file_stays_open(tmp_path: Path) -> None:
    async with canvas_rig(tmp_path) as canvas:
        for path in (PLACE, f"{PLACE}sub", f"{PLACE}nothing", f"{PLACE}data.bin"):
            await canvas.get(path)
        await until(lambda: not _open_below(canvas.root))


def _open_below(root: Path) -> list[str]:
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
    return [each for each in found if each.startswith(str(root))]


async def test_pages_of_the_gateway_itself_run_nothing_from_here(tmp_path: Path) -> None:
    async with canvas_rig(tmp_path) as canvas:
        (canvas.root / "a.js").write_text("alert(1)")
        path = f"{canvas.ticket()}{PLACE}a.js"
        for site, dest, status in (
            ("same-origin", "script", 403),
            ("same-origin", "serviceworker", 403),
            ("same-origin", "style", 403),
            ("same-origin", "image", 200),
            ("cross-site", "script", 200),  # a page of the canvas host, which has no origin
            ("none", "document", 200),
        ):
            headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": dest}
            assert (await canvas.get(path, headers=headers))[0] == status, (site, dest)


async def test_its_own_port_serves_it_and_nothing_else(tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    async with canvas_rig(tmp_path, canvas_listener=listener) as canvas:
        canvas.port = listener.getsockname()[1]
        unproven = canvas.rig.parts.server.unproven
        assert len(unproven) == 0
        _, writer = await asyncio.open_connection("127.0.0.1", canvas.port)
        await until(lambda: len(unproven) == 1)  # it counts as one of the gateway's
        writer.close()
        await writer.wait_closed()
        assert (await canvas.get(PLACE))[1] == b"<h1>Hello</h1>"
        assert (await canvas.get(canvas.ticket() + PLACE, headers={}))[0] == 200
        for path in ("/health", "/metrics", "/", "/channels/irc/libera/"):
            assert (await canvas.get(path))[0] == 404, path
        assert (await canvas.get(PLACE, headers=RIGHT | {"Host": "evil.example"}))[0] == 403
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(f"http://127.0.0.1:{canvas.port}/")
            assert refused.value.status == 404


async def test_clients_wait_in_the_backlog_of_its_own_port_while_it_drains(tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    kept = listener.dup()
    async with canvas_rig(tmp_path, canvas_listener=listener) as canvas:
        canvas.port = kept.getsockname()[1]
        canvas.rig.gateway.stop_accepting()
        waiting = asyncio.create_task(canvas.get(PLACE))
    (tmp_path / "next").mkdir()
    async with canvas_rig(tmp_path / "next", canvas_listener=kept):
        assert (await waiting)[:2] == (200, b"<h1>Hello</h1>")


async def test_clients_that_may_read_are_given_the_address(tmp_path: Path) -> None:
    async with canvas_rig(tmp_path) as canvas:
        client = await canvas.rig.client()
        url = client.hello["pluginSurfaceUrls"]["canvas"]
        assert url.startswith(f"http://127.0.0.1:{canvas.port}/__openclaw__/cap/")
        path = url.removeprefix(f"http://127.0.0.1:{canvas.port}")
        assert (await canvas.get(path + PLACE, headers={}))[0] == 200
        given: dict[str, Any] = {"role": "node", "scopes": [], "client": NODE}
        other, hello = await offer(canvas.rig, Key(), **given)
        assert hello["payload"]["pluginSurfaceUrls"]["canvas"].startswith("http://127.0.0.1:")
        answer = await other.call("node.pluginSurface.refresh", {"surface": "canvas"})
        assert answer["payload"]["pluginSurfaceUrls"]["canvas"].startswith("http://127.0.0.1:")
        assert 3_590_000 < answer["payload"]["expiresAtMs"] - time.time() * 1000 <= 3_600_000
        wrong = await other.call("node.pluginSurface.refresh", {"surface": "x"})
        assert wrong["error"]["message"] == "unknown plugin surface: x"


async def test_a_client_without_scopes_is_not(tmp_path: Path) -> None:
    ui = {"id": "openclaw-control-ui", "version": "1", "platform": "web", "mode": "ui"}
    async with canvas_rig(tmp_path) as canvas:
        answer = await connect(canvas.rig, {"token": TOKEN}, client=ui)
        assert "pluginSurfaceUrls" not in answer["payload"]


async def test_a_public_address_is_what_clients_are_given(tmp_path: Path) -> None:
    async with canvas_rig(tmp_path, publicUrl="wss://chat.example/") as canvas:
        client = await canvas.rig.client()
        url = client.hello["pluginSurfaceUrls"]["canvas"]
        assert url.startswith("https://chat.example/__openclaw__/cap/")
