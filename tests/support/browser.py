"""A real browser without a window, driven over its debugging protocol."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.support.short_directory import ShortDirectory
from tests.support.until import PATIENCE

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# A browser elsewhere, or a script that starts one.
BROWSER = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
START_SECONDS = 60.0
OPTIONS = (
    "--headless",
    "--no-sandbox",  # of its own processes, which root may not have; that of pages stays
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--remote-debugging-port=0",
)


class Browser:
    """One tab of a running browser."""

    def __init__(self, session: aiohttp.ClientSession, tab: aiohttp.ClientWebSocketResponse):
        self._session = session
        self._tab = tab
        self._ids = itertools.count(1)

    async def _call(self, method: str, **params: Any) -> Any:
        number = next(self._ids)
        await self._tab.send_str(json.dumps({"id": number, "method": method, "params": params}))
        async with asyncio.timeout(PATIENCE):
            while (said := await self._tab.receive_json()).get("id") != number:
                pass
        assert "error" not in said, said
        return said["result"]

    async def open(self, url: str) -> None:
        """Go to a page; returns when it is there with all that belongs to it."""
        await self._call("Page.enable")
        await self._call("Page.navigate", url=url)
        async with asyncio.timeout(PATIENCE):
            while (await self._tab.receive_json()).get("method") != "Page.loadEventFired":
                pass

    async def run(self, expression: str) -> Any:
        """Return the value of an expression, or of its promise, in the page."""
        given = {"awaitPromise": True, "returnByValue": True}
        found = await self._call("Runtime.evaluate", expression=expression, **given)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def nodes(self) -> str:
        """Return the document as HTML, scripts or not."""
        root = await self._call("DOM.getDocument")
        found = await self._call("DOM.getOuterHTML", nodeId=root["root"]["nodeId"])
        html: str = found["outerHTML"]
        return html


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Run a browser with a fresh profile."""
    assert BROWSER is not None
    with ShortDirectory() as profile:
        process = await asyncio.create_subprocess_exec(
            BROWSER,
            *OPTIONS,
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        try:
            address = await _address(process.stderr)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://{address}/json/list") as answer:
                    tabs = await answer.json(content_type=None)
                url = next(each for each in tabs if each["type"] == "page")["webSocketDebuggerUrl"]
                async with session.ws_connect(url, max_msg_size=0) as tab:
                    yield Browser(session, tab)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.communicate()


async def _address(stderr: asyncio.StreamReader) -> str:
    async with asyncio.timeout(START_SECONDS):
        async for line in stderr:
            if b"DevTools listening on ws://" in line:
                return line.split(b"ws://")[1].split(b"/")[0].decode()
    raise AssertionError("the browser has ended")
