"""How a browser signs in to the console, and what stays of its secrets."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import expect

from tests.console.test_pages import ROUTES, console_of, town
from tests.support.console import Console, accounts, chromium, needs_browser, tab
from tests.support.daemon import TOKEN, Daemon
from tests.support.short_directory import ShortDirectory

pytestmark = [needs_browser, pytest.mark.e2e, pytest.mark.slow]

CONFIG = {"agents": {"default": "none"}, "channels": accounts(2)}
# All that scripts can read of what the browser keeps, as one text.
KEPT = """async () => {
  const read = (request) =>
    new Promise((done) => { request.onsuccess = () => done(request.result); });
  const texts = [location.href, document.documentElement.outerHTML];
  texts.push(JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie);
  for (const { name } of await indexedDB.databases()) {
    const database = await read(indexedDB.open(name));
    for (const store of database.objectStoreNames) {
      const rows = await read(database.transaction(store).objectStore(store).getAll());
      texts.push(JSON.stringify(rows));
      texts.push(...rows.map((row) => `extractable:${row.keys?.privateKey.extractable}`));
    }
    database.close();
  }
  return texts.join("\\n");
}"""


async def refused_here(console: Console) -> None:
    await expect(console.heading("Sign in")).to_be_visible()


async def test_a_one_time_address_signs_one_browser_in_and_leaves_nothing_behind() -> None:
    with ShortDirectory() as place:
        async with Daemon(place, CONFIG) as daemon, chromium() as browser:
            async with tab(browser, daemon) as console:
                address = await console.one_time_address()
                await console.page.goto(address)
                await expect(console.heading("Fleet")).to_be_visible()
                token = address.split("=", 1)[1]
                kept = await console.page.evaluate(KEPT)
                assert token not in kept
                assert TOKEN not in kept
                assert "extractable:false" in kept
                assert await console.page.evaluate("history.length") <= 2
                await console.page.reload()  # its own key opens the gateway now
                await expect(console.heading("Fleet")).to_be_visible()
            async with tab(browser, daemon) as other:
                await other.page.goto(address)
                await refused_here(other)
                await expect(other.text("This one-time address was used already")).to_be_visible()


async def test_a_typed_token_signs_in_and_is_kept_nowhere() -> None:
    with ShortDirectory() as place:
        async with (
            Daemon(place, CONFIG) as daemon,
            chromium() as browser,
            tab(browser, daemon) as console,
        ):
            await console.page.goto(console.url)
            await console.type_token("not-the-token")
            await expect(console.text("That is not this gateway's token.")).to_be_visible()
            await expect(console.page.get_by_label("Or the gateway's token")).to_be_focused()
            await console.type_token()
            await expect(console.heading("Fleet")).to_be_visible()
            assert TOKEN not in await console.page.evaluate(KEPT)
            await console.page.get_by_role("button", name="Sign out").click()
            question = console.page.get_by_role("dialog", name="Sign out?")
            await question.get_by_role("button", name="Sign out").click()
            await refused_here(console)


async def test_a_token_that_is_typed_while_nothing_answers_is_waited_with_aloud() -> None:
    with ShortDirectory() as place:
        async with (
            Daemon(place, CONFIG) as daemon,
            chromium() as browser,
            tab(browser, daemon) as console,
        ):
            console.expected = ["WebSocket connection to"]
            await console.page.goto(console.url)
            await refused_here(console)
            await console.type_token("not-the-token")
            await expect(console.text("not this gateway's token")).to_be_visible()
            await asyncio.to_thread(daemon.end)
            await console.type_token()
            await expect(console.text("It is tried again by itself")).to_be_visible()
            await expect(console.text("not this gateway's token")).to_have_count(0)
            await daemon.start()
            await expect(console.heading("Fleet")).to_be_visible()


@pytest.mark.timeout(300)  # it opens every page, more than once
@pytest.mark.parametrize(
    "scopes",
    [("read",), ("read", "pairing"), ("read", "write"), ("read", "write", "pairing")],
    ids="-".join,
)
async def test_a_browser_that_was_approved_for_less_signs_in_and_is_offered_no_more(
    scopes: tuple[str, ...],
) -> None:
    with ShortDirectory() as place:
        async with (
            Daemon(place, town()) as daemon,
            chromium() as browser,
            tab(browser, daemon) as console,
        ):
            given = {"scopes": [f"operator.{each}" for each in scopes]}
            made = await daemon.call("device.bootstrap.create", given)
            await console.page.goto(f"{console.url}#bootstrap={made['bootstrapToken']}")
            await expect(console.heading("Fleet")).to_be_visible()
            for route, title in ROUTES:
                await console.open(route, title)
                await expect(console.page.get_by_text("Reading", exact=False)).to_have_count(0)
                await expect(console.page.get_by_role("alert")).to_have_count(0)
                await expect(console.page.get_by_text("missing scope")).to_have_count(0)
                for verb in ("Add account", "Stop", "Restart", "Remove account"):
                    named = re.compile(rf"^\s*{verb}\s*$")
                    await expect(console.page.locator(".button", has_text=named)).to_have_count(0)
            await console.open("gateway", "Gateway")
            has = console.page.locator(".facts > div", has_text="Scopes")
            for each in ("admin", "read", "write", "pairing"):
                text = expect(has)
                await (text.to_contain_text if each in scopes else text.not_to_contain_text)(each)
            await console.page.reload()  # with the token of its own now
            await expect(console.heading("Gateway")).to_be_visible()


async def test_a_browser_that_has_signed_in_before_opens_an_old_one_time_address() -> None:
    async with console_of(CONFIG) as (_, console):
        await console.page.goto("about:blank")  # another fragment alone loads nothing anew
        await console.page.goto(f"{console.url}#bootstrap=used")
        await expect(console.heading("Fleet")).to_be_visible()
