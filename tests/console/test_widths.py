"""What the console shows of long names and of other scripts, at every width of the window."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import WebSocketRoute, expect

from tests.support.console import (
    CLOSED,
    PHONE,
    TALKING,
    Console,
    chromium,
    fleet,
    needs_browser,
    tab,
)
from tests.support.daemon import Daemon
from tests.support.local_people import say
from tests.support.short_directory import ShortDirectory

pytestmark = [needs_browser, pytest.mark.e2e, pytest.mark.slow]

LONG = "a-name-of-forty-characters-is-this-one-x"
UNBROKEN = "n" * 64  # the longest, without a place to break it
ARABIC = "مرحبا، لدي مشكلة في الطلب رقم 12345 (عاجل جدا)! متى يصل؟"
# On both sides of the widths at which the layout changes.
WIDTHS = (320, 390, 761, 1024, 1181)
ROUTES = (
    ("fleet", "Fleet"),
    (f"account/local:{LONG}", f"local:{LONG}"),
    (f"account/local:{UNBROKEN}", f"local:{UNBROKEN}"),
    ("messages", "Messages"),
    ("messages?view=given-up", "Messages"),
    ("people", "People"),
    ("chat", "Chat"),
    ("gateway", "Gateway"),
    ("logs", "Logs"),
)
LINES_OF = """(cell, text) => {
  cell.textContent = text;
  const range = document.createRange();
  range.selectNodeContents(cell);
  return range.getClientRects().length;
}"""
FITS = "each => each.scrollWidth <= each.clientWidth"
CUT = """cells => {
  const sizes = (each) => [
    [each.scrollWidth, each.clientWidth],
    [each.scrollHeight, each.clientHeight],
  ];
  const isCut = (each) => sizes(each).some(([whole, shown]) => whole > shown + 1);
  return cells.filter(isCut).map((each) => `${each.innerText}: ${sizes(each).join(" and ")}`);
}"""
# On which page a long name stands in which cells.
NAMED = (
    ("fleet", "Fleet", f"irc:{LONG}", ".fleet .who"),
    ("fleet", "Fleet", UNBROKEN, ".fleet .who"),
    ("people", "People", UNBROKEN, ".access .who"),
    ("messages", "Messages", LONG, ".messages .who"),
    ("messages?view=given-up", "Messages", LONG, ".letters .who"),
    (f"logs?process=local:{LONG}", "Logs", LONG, ".logs .who"),
    ("chat", "Chat", LONG, ".talk .where"),
)
TOO_WIDE = """() => [...document.querySelectorAll(".table")]
  .filter((each) => each.scrollWidth > each.clientWidth + 1)
  .map((each) => `${each.ariaLabel}: ${each.scrollWidth} in ${each.clientWidth}`)"""


@asynccontextmanager
async def long_names() -> AsyncIterator[Console]:
    """Run a daemon with an account whose name is long, to which people have talked."""
    config = fleet(3)
    local, irc = (config["channels"][each]["accounts"] for each in ("local", "irc"))
    local[LONG] = {"journal": "on"}
    local[UNBROKEN] = {"dmPolicy": "allowlist", "allowFrom": [], "groupPolicy": "allowlist"}
    irc[LONG] = irc["harbour"]
    with ShortDirectory() as place:
        async with Daemon(place, config) as daemon, chromium() as browser:
            writers = []
            for account, name, text in (
                (TALKING, "ada", ARABIC),
                (LONG, "grace", "w" * 500),
                (CLOSED, "eve", "let me in"),
            ):
                await daemon.wait_phase(f"local:{account}", "running")
                writers.append(await say(daemon, account, name, text, answered=account != CLOSED))
            client = await daemon.client()
            letter = {"channel": "local", "accountId": LONG, "to": "n" * 40, "message": "w" * 500}
            await client.call("send", letter | {"idempotencyKey": "k", "queue": True})
            await client.close()
            async with tab(browser, daemon) as console:
                await console.sign_in()
                yield console
            for writer in writers:
                writer.close()


@pytest.mark.timeout(300)  # a browser lays out each page at each width
async def test_nothing_needs_to_be_scrolled_sideways_at_any_width() -> None:
    async with long_names() as console:
        page = console.page
        for route, title in ROUTES:
            await console.open(route, title)
            await expect(page.get_by_text("Reading", exact=False)).to_have_count(0)
            for width in WIDTHS:
                await page.set_viewport_size({"width": width, "height": 800})
                found = [*await page.evaluate(TOO_WIDE), *await console.clipped()]
                assert found == [], f"{route} at {width}"


async def test_a_name_that_is_long_is_whole_in_the_fleet() -> None:
    async with long_names() as console:
        name = console.page.get_by_role("link", name=f"irc:{LONG}")
        await console.page.set_viewport_size({"width": 1440, "height": 800})
        cell = console.page.locator(".who", has=name)
        assert await cell.evaluate("each => each.scrollHeight <= each.clientHeight + 1")


async def test_a_name_that_is_long_is_whole_on_a_phone() -> None:
    async with long_names() as console:
        page = console.page
        await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        for route, title, name, cells in NAMED:
            await console.open(route, title)
            named = page.locator(cells).filter(has_text=name)
            await expect(named.first).to_be_visible()
            assert await named.evaluate_all(CUT) == [], route
            rows = page.locator(".table-body > .row").filter(has=named)
            assert await rows.evaluate_all(CUT) == [], route  # nor does it push out what follows
            assert await console.violations() == [], route
        await page.get_by_role("link", name="www").first.click()
        notes = page.locator(".conversation .note")
        await expect(notes.filter(has_text="To the agent")).to_be_visible()
        assert await notes.evaluate_all(CUT) == []


async def test_a_dialog_about_a_name_that_is_long_stays_in_the_window() -> None:
    async with long_names() as console:
        page = console.page
        await page.set_viewport_size({"width": 390, "height": 800})
        dialog = page.get_by_role("dialog")
        key = f"local:{UNBROKEN}"
        await console.open(f"people/{key}", "People")
        await expect(dialog).to_be_visible()
        assert await dialog.evaluate(FITS)
        await console.open(f"account/{key}", key)
        await page.get_by_role("button", name="Stop", exact=True).click()
        await expect(dialog).to_be_visible()
        assert await dialog.evaluate(FITS)
        cancel = await dialog.get_by_role("button", name="Cancel").bounding_box()
        assert cancel is not None
        assert cancel["height"] < 40  # its word is not broken
        await page.keyboard.press("Escape")
        await console.open("messages?direction=in", "Messages")
        await page.get_by_role("row").filter(has_text="www").click()
        await expect(dialog.locator("blockquote").first).to_be_visible()
        assert await dialog.evaluate(FITS)
        assert await console.violations() == []  # what scrolls is reached by the keyboard


async def test_the_time_until_the_next_try_is_one_line() -> None:
    async with long_names() as console:
        await console.open("fleet", "Fleet")
        cell = console.page.locator(".row", has_text="irc:harbour").locator(".next")
        for width in (1024, 1440):
            await console.page.set_viewport_size({"width": width, "height": 800})
            assert await cell.evaluate(LINES_OF, "tries again in 28 min 58 s") == 1, width


async def test_a_title_stays_in_its_row_and_begins_where_its_script_does() -> None:
    async with long_names() as console:
        page = console.page
        await console.open("chat", "Chat")
        for text, direction in (("wwww", "ltr"), (ARABIC[:6], "rtl")):
            title = page.get_by_role("link", name=re.compile(text))
            await title.focus()  # a browser would scroll to what is wider than its place
            cell = page.locator(".what", has=title)
            assert await cell.evaluate("each => each.scrollLeft") == 0
            assert await title.evaluate("each => getComputedStyle(each).direction") == direction
            await title.click()
            said = page.locator(".entry.user .words").first
            await expect(said).to_have_css("unicode-bidi", "plaintext")


async def test_an_account_whose_row_cannot_be_read_says_why() -> None:
    async with long_names() as console:
        page = console.page
        await page.route_web_socket(re.compile(r"^ws://"), refuse_status)
        await page.goto(f"{console.url}#/account/local:{TALKING}")
        await page.reload()
        await expect(console.heading(f"local:{TALKING}")).to_be_visible()
        await expect(page.get_by_role("alert")).to_contain_text("the supervisor is busy")
        await expect(page.get_by_role("button", name="Ask again")).to_be_visible()


def refuse_status(socket: WebSocketRoute) -> None:
    """Answer each ``status`` as a gateway does whose supervisor is busy."""
    server = socket.connect_to_server()

    def pass_on(text: str | bytes) -> None:
        frame = json.loads(text)
        if frame.get("method") != "status":
            server.send(text)
            return
        error = {"code": "UNAVAILABLE", "message": "the supervisor is busy", "retryable": False}
        socket.send(json.dumps({"type": "res", "id": frame["id"], "ok": False, "error": error}))

    socket.on_message(pass_on)
