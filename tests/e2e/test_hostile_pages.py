"""Pages of strangers on the gateway's address get at nothing of it, in a real browser.

The console keeps its key in the storage of the browser, under the gateway's address. What agents,
people and platforms bring lies under the same address: the canvas host, files of messages, answers
of accounts. Here a page and a picture from each of them try to read that key.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from ipc.media import account_directory
from tests.runtime.gateway.http.test_ingress import answered
from tests.support.browser import BROWSER, Browser, browser
from tests.support.gateway_rig import GatewayRig, gateway_rig, row

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="needs Chromium")]

KEY = "irc:libera"
MEDIA_ID = "ab" * 16
# What a script tries, each a word and an expression that must not be true or "loot".
ATTEMPTS = """
const tries = {
  storage: () => localStorage.getItem("key") === "loot",
  session: () => { sessionStorage.setItem("a", "b"); return true; },
  cookie: () => document.cookie.includes("loot"),
  database: () => { indexedDB.open("a"); return true; },
  worker: async () => { await navigator.serviceWorker.register("w.js"); return true; },
  caches: async () => { await caches.open("a"); return true; },
  metrics: async () => (await (await fetch("/metrics")).text()).length > 0,
  frame: () => new Promise(done => {
    const frame = document.createElement("iframe");
    frame.onload = () => {
      try { done(frame.contentWindow.localStorage.getItem("key") === "loot"); }
      catch { done(false); }
    };
    frame.src = "/health";
    document.documentElement.append(frame);
  }),
  socket: () => new Promise(done => {
    const socket = new WebSocket(location.origin.replace("http", "ws"));
    socket.onclose = () => done(false);
    socket.onmessage = () => {
      socket.onmessage = answer => done(!answer.data.includes("origin not allowed"));
      socket.send(CONNECT);
    };
  }),
};
const reached = [];
Promise.all(Object.entries(tries).map(async ([name, attempt]) => {
  // In a picture no frame is loaded, and nothing comes of it.
  const late = new Promise(done => setTimeout(done, 1500));
  try { if (await Promise.race([attempt(), late])) reached.push(name); } catch {}
})).then(() => { window.reached = reached.sort(); });
"""
CONNECT = {
    "type": "req",
    "id": "1",
    "method": "connect",
    "params": {
        "minProtocol": 4,
        "maxProtocol": 4,
        "client": {"id": "openclaw-control-ui", "version": "1", "platform": "web", "mode": "ui"},
        "auth": {"token": "guess"},
    },
}
SCRIPT = ATTEMPTS.replace("CONNECT", json.dumps(json.dumps(CONNECT)))
# A script that runs leaves a mark in the document before all else.
MARKED = f'document.documentElement.setAttribute("data-ran", "yes");\n{SCRIPT}'
HTML = f"<!doctype html><html><body>hello<script>{MARKED}</script></body></html>"
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
    f"<script><![CDATA[{MARKED}]]></script></svg>"
)
PAGES = {"html": (HTML, "text/html"), "svg": (SVG, "image/svg+xml")}


@asynccontextmanager
async def strangers(place: Path) -> AsyncIterator[tuple[GatewayRig, str]]:
    """Run a gateway on whose address hostile pages lie; yield it and the address."""
    root = place / "canvas"
    root.mkdir()
    for ending, (text, _) in PAGES.items():
        (root / f"a.{ending}").write_text(text)
    canvas = {"enabled": True, "root": str(root)}
    async with gateway_rig(row(KEY, ingress=True), canvas=canvas) as rig:
        yield rig, f"http://127.0.0.1:{rig.port}"


async def log_in(tab: Browser, origin: str) -> None:
    """Leave in the browser what the console does, and see that it is there to be read."""
    await tab.open(f"{origin}/health")
    await tab.run('localStorage.setItem("key", "loot"); document.cookie = "key=loot"')
    assert await tab.run('localStorage.getItem("key") + document.cookie') == "lootkey=loot"


async def reached(tab: Browser) -> list[str]:
    """Return what the scripts of the present page got at."""
    wait = (
        "new Promise(done => { const look = () => window.reached"
        " ? done(window.reached) : setTimeout(look, 20); look(); })"
    )
    found: list[str] = await tab.run(wait)
    return found


async def test_the_attacks_succeed_without_the_protection() -> None:
    """Else the other tests would show nothing."""

    async def answer(request: web.BaseRequest) -> web.Response:
        bodies = {"/a.html": (HTML, "text/html"), "/w.js": ("", "text/javascript")}
        text, form = bodies.get(request.path, ("figures", "text/plain"))
        return web.Response(text=text, content_type=form)

    server = web.Server(answer)
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with browser() as tab:
            await log_in(tab, origin)
            await tab.open(f"{origin}/a.html")
            expected = ["caches", "cookie", "database", "frame", "metrics", "session", "storage"]
            assert await reached(tab) == [*expected, "worker"]
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("ending", PAGES)
async def test_a_page_of_the_canvas_host_runs_and_has_no_access(
    short_path: Path, ending: str
) -> None:
    async with strangers(short_path) as (rig, origin), browser() as tab:
        await log_in(tab, origin)
        place = rig.parts.canvas.address(origin, time.time())
        await tab.open(f"{place}/__openclaw__/canvas/a.{ending}")
        assert 'data-ran="yes"' in await tab.nodes()
        assert await reached(tab) == []
        assert await tab.run("origin") == "null"


async def test_a_page_of_the_canvas_host_has_its_own_scripts_modules_and_data(
    short_path: Path,
) -> None:
    async with strangers(short_path) as (rig, origin), browser() as tab:
        root = short_path / "canvas"
        (root / "data.json").write_text('{"n": 7}')
        (root / "old.js").write_text('window.old = "yes"')
        (root / "new.mjs").write_text('export const fresh = "yes"')
        (root / "style.css").write_text("body { width: 123px }")
        (root / "page.html").write_text(
            '<!doctype html><link rel="stylesheet" href="style.css"><script src="old.js"></script>'
        )
        place = f"{rig.parts.canvas.address(origin, time.time())}/__openclaw__/canvas"
        await tab.open(f"{place}/page.html")
        assert await tab.run("old") == "yes"
        assert await tab.run("getComputedStyle(document.body).width") == "123px"
        assert await tab.run('import("./new.mjs").then(found => found.fresh)') == "yes"
        assert await tab.run('fetch("data.json").then(got => got.json())') == {"n": 7}
        # A page of the gateway itself, in which somebody could place an element, runs none of it.
        await tab.open(f"{origin}/health")
        tried = (
            "new Promise(done => { const script = document.createElement('script');"
            " script.onload = () => done('loaded'); script.onerror = () => done('refused');"
            f" script.src = '{place}/old.js'; document.documentElement.append(script); }})"
        )
        assert await tab.run(tried) == "refused"


@pytest.mark.parametrize("ending", PAGES)
async def test_an_answer_of_an_account_runs_nothing(short_path: Path, ending: str) -> None:
    text, form = PAGES[ending]
    async with strangers(short_path) as (rig, origin), browser() as tab:
        worker = await rig.worker(KEY, ingress=True)
        headers = [("Content-Type", form), ("Content-Security-Policy", "")]
        async with answered(worker, body=text.encode(), headers=headers):
            await log_in(tab, origin)
            await tab.open(f"{origin}/channels/irc/libera/a")
            shown = await tab.nodes()
        assert "<script>" in shown
        assert "data-ran" not in shown.split("<script>")[0]


@pytest.mark.parametrize("ending", PAGES)
async def test_a_file_of_a_message_is_not_even_shown(short_path: Path, ending: str) -> None:
    text, form = PAGES[ending]
    async with strangers(short_path) as (rig, origin), browser() as tab:
        place = account_directory(Path(rig.parts.boot.state_dir), KEY)
        place.mkdir(parents=True)
        (place / MEDIA_ID).write_text(text)
        about = {"name": f"a.{ending}", "mimeType": form}
        (place / f"{MEDIA_ID}.json").write_text(json.dumps(about))
        await log_in(tab, origin)
        address = rig.parts.tickets.address(KEY, MEDIA_ID, time.time())
        # As a page in a frame, as a picture, and as part of the page that holds the key.
        shown = await tab.run(
            "new Promise(done => { const frame = document.createElement('iframe');"
            f" frame.src = '{address}'; document.documentElement.append(frame);"
            " const picture = new Image(); picture.onerror = () => done('no picture');"
            f" picture.onload = () => done('picture'); picture.src = '{address}'; }})"
        )
        assert shown == "no picture"
        assert await tab.run("frames[0].document.body.childElementCount") == 0
        script = (
            "new Promise(done => { const script = document.createElement('script');"
            " script.onload = () => done('loaded'); script.onerror = () => done('refused');"
            f" script.src = '{address}'; document.documentElement.append(script); }})"
        )
        assert await tab.run(script) == "refused"
