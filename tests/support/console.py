"""The console in a real browser, signed in to a real daemon, with the errors that it reports."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from tests.support.browser import BROWSER, OPTIONS
from tests.support.daemon import ECHO, TOKEN, Daemon
from tests.support.until import PATIENCE
from workers.testing.ports import free_port

ROOT = Path(__file__).parents[2]
AXE = ROOT / "tests/console/axe/axe.min.js"
# Of axe-core 4.14.1 as `npm pack` brings it; its licence lies beside it.
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Pictures are kept here, for people to look at.
PICTURES = Path(os.environ.get("TRUNKLINE_PICTURES") or ROOT / ".pictures")

Theme = Literal["light", "dark"]
WIDE, PHONE = (1280, 800), (390, 844)

expect.set_options(timeout=PATIENCE * 1000)  # the default of 5 s is little beside other work

needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="needs Chromium (Debian: apt-get install chromium, or CHROMIUM=…)"
)


class Console:
    """One tab with the console. ``errors`` are those of its scripts and of the browser."""

    def __init__(self, page: Page, daemon: Daemon) -> None:
        self.page, self._daemon = page, daemon
        self.url = f"http://127.0.0.1:{daemon.port}/"
        self.errors: list[str] = []
        self.expected: list[str] = []  # pieces of complaints that the test itself provokes
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def unexpected(self) -> list[str]:
        """Return the errors that the test has not provoked."""
        return [each for each in self.errors if not any(part in each for part in self.expected)]

    async def one_time_address(self) -> str:
        """Return an address that signs one browser in, as ``trunkline open`` makes it."""
        made = await self._daemon.call("device.bootstrap.create")
        return f"{self.url}#bootstrap={made['bootstrapToken']}"

    async def sign_in(self) -> None:
        """Sign in as ``trunkline open`` does."""
        await self.page.goto(await self.one_time_address())
        await expect(self.heading("Fleet")).to_be_visible()

    async def type_token(self, token: str = TOKEN) -> None:
        """Sign in with a shared token, as a person who types it."""
        await self.page.get_by_label("Or the gateway's token").fill(token)
        await self.page.get_by_role("button", name="Sign in").click()

    async def open(self, route: str, title: str) -> None:
        """Go to a page by its fragment, and wait for its heading."""
        await self.page.goto(f"{self.url}#/{route}")
        await expect(self.heading(title)).to_be_visible()

    def heading(self, title: str) -> Locator:
        """Return the heading of a page."""
        return self.page.get_by_role("heading", name=title, level=1, exact=True)

    def text(self, text: str) -> Locator:
        """Return the first element in sight with a text."""
        return self.page.get_by_text(text).first

    async def violations(self) -> list[str]:
        """Return what axe-core finds against WCAG 2.2 AA, a line for each element."""
        session = await self.page.context.new_cdp_session(self.page)
        # Over the debugging protocol: a script of the page would be refused by its CSP.
        run = f"axe.run(document, {{runOnly: {json.dumps(RULES)}, preload: false}})"
        await session.send("Runtime.evaluate", {"expression": _axe()})
        answer = await session.send(
            "Runtime.evaluate",
            {"expression": f"{run}.then(found => found.violations)"}
            | {"awaitPromise": True, "returnByValue": True},
        )
        await session.detach()
        assert "exceptionDetails" not in answer, answer
        return [
            f"{rule['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:300]}"
            for rule in answer["result"]["value"]
            for node in rule["nodes"]
        ]

    async def clipped(self) -> list[str]:
        """Return the texts of elements that extend beyond the window and do not scroll."""
        found: list[str] = await self.page.evaluate(CLIPPED)
        return found

    async def picture(self, name: str) -> Path:
        """Keep a picture of the window."""
        path = _place_of(name)
        await self.page.screenshot(path=path)
        return path


CLIPPED = """() => {
  const wide = document.documentElement.clientWidth;
  const scrolls = (at) => {
    for (; at; at = at.parentElement) {
      const way = getComputedStyle(at).overflowX;
      if ((way === "auto" || way === "scroll") && at.scrollWidth > at.clientWidth) return true;
    }
    return false;
  };
  const cut = (at) => getComputedStyle(at).textOverflow === "ellipsis";
  const shortens = (at) => {
    for (; at; at = at.parentElement) if (cut(at)) return true;
    return false;
  };
  return [...document.querySelectorAll("#root *")]
    .filter((each) => each.childElementCount === 0 && each.textContent.trim())
    .filter((each) => {
      const box = each.getBoundingClientRect();
      return box.width > 0 && box.height > 0 && (box.right > wide + 1 || box.left < -1);
    })
    .filter((each) => !scrolls(each) && !shortens(each) && !each.closest(".skip"))
    .map((each) => each.textContent.trim().slice(0, 80));
}"""


def _place_of(name: str) -> Path:
    PICTURES.mkdir(exist_ok=True)
    return PICTURES / f"{name}.png"


@functools.cache
def _axe() -> str:
    source = AXE.read_bytes()
    assert hashlib.sha256(source).hexdigest() == AXE_SHA256
    return source.decode()


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run the system's Chromium without a window."""
    assert BROWSER is not None
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=BROWSER,
            args=[each for each in OPTIONS if not each.startswith("--remote-debugging")],
            timeout=PATIENCE * 1000,
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def tab(
    browser: Browser,
    daemon: Daemon,
    *,
    theme: Theme = "light",
    size: tuple[int, int] = WIDE,
    touch: bool = False,
) -> AsyncIterator[Console]:
    """Open a tab with a profile of its own; at its end there must be no unexpected errors."""
    context = await browser.new_context(
        color_scheme=theme,
        viewport={"width": size[0], "height": size[1]},
        locale="en-GB",
        has_touch=touch,
    )
    context.set_default_timeout(PATIENCE * 1000)
    page = await context.new_page()
    console = Console(page, daemon)
    try:
        yield console
        assert console.unexpected() == []
    finally:
        await context.close()


def accounts(count: int) -> dict[str, Any]:
    """Return the section ``channels`` with so many local accounts, with names of no real ones."""
    names = [f"{TOWNS[number % len(TOWNS)]}-{number:03}" for number in range(count)]
    return {"local": {"accounts": {name: {} for name in names}}}


def fleet(count: int) -> dict[str, Any]:
    """Return a configuration with so many local accounts, and content for every page.

    One account is talked to, one has lists that let nobody in, one lets strangers ask; one of IRC
    has no server to connect to.
    """
    section = accounts(count)
    section["local"]["accounts"] |= {
        TALKING: {"journal": "on"},
        CLOSED: {"dmPolicy": "allowlist", "allowFrom": [], "groupPolicy": "allowlist"},
        PAIRING: {"dmPolicy": "pairing", "journal": "on"},
    }
    nobody = {"server": "127.0.0.1", "port": free_port(), "nick": "harbour"}
    return ECHO | {"channels": section | {"irc": {"accounts": {"harbour": nobody}}}}


TALKING, CLOSED, PAIRING = "amber-000", "birch-001", "cedar-002"
TOWNS = ("amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath", "iris", "juniper")
