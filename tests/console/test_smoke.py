"""The console in a real browser, as far as every change needs it: one browser, one daemon."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.support.console import accounts, chromium, needs_browser, tab
from tests.support.daemon import Daemon
from tests.support.short_directory import ShortDirectory

pytestmark = [needs_browser, pytest.mark.e2e]

PAGES = ("Messages", "People", "Chat", "Gateway", "Logs", "Configuration")

ACCOUNT = "#/account/local:birch-001"
OF_AN_ACCOUNT = {
    ACCOUNT: "History",
    f"{ACCOUNT}/log": "all levels",
    f"{ACCOUNT}/configuration": "Nothing has been changed.",
    "#/add": "It needs a name.",
}


async def test_a_person_signs_in_and_opens_every_page() -> None:
    """No page fails, is refused anything by the browser, or is hard to read or to operate."""
    config = {"agents": {"default": "echo"}, "channels": accounts(3)}
    with ShortDirectory() as place:
        async with (
            Daemon(place, config) as daemon,
            chromium() as browser,
            tab(browser, daemon) as console,
        ):
            await console.sign_in()
            await expect(console.text("local:birch-001")).to_be_visible()
            await expect(console.text("3 accounts, none has a fault")).to_be_visible()
            assert await console.violations() == []
            for route, shown in OF_AN_ACCOUNT.items():
                await console.page.evaluate("route => { location.hash = route }", route)
                await expect(console.text(shown).first).to_be_visible()
                await expect(console.page.get_by_role("alert")).to_have_count(0)
                assert await console.violations() == [], route
            for title in PAGES:
                await console.page.get_by_role("link", name=title, exact=True).click()
                await expect(console.heading(title)).to_be_visible()
                await expect(console.page.get_by_role("alert")).to_have_count(0)
                assert await console.violations() == [], title
