"""What the console shows where there is nothing yet: no account, no message, no conversation."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.console.test_pages import console_of
from tests.support.console import PHONE, needs_browser

pytestmark = [needs_browser, pytest.mark.e2e, pytest.mark.slow]

# What each page says, and where it leads.
SHOWN = (
    ("fleet", "Fleet", "There are no accounts yet"),
    ("messages", "Messages", "No message has come or gone yet"),
    ("messages?view=given-up", "Messages", "Nothing was given up"),
    ("people", "People", "There are no accounts yet"),
    ("chat", "Chat", "Nobody has talked to an agent yet"),
)


async def test_each_page_without_an_account_says_so_and_what_fills_it() -> None:
    async with console_of({"agents": {"default": "echo"}}) as (_, console):
        page = console.page
        await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        for route, title, text in SHOWN:
            await console.open(route, title)
            await expect(console.text(text)).to_be_visible()
            assert [*await console.violations(), *await console.clipped()] == [], route
        await console.open("people", "People")
        # It would ask which account it was.
        await expect(page.get_by_role("button", name="Why was there no answer?")).to_have_count(0)
        await page.get_by_role("link", name="Add one").click()
        await expect(console.heading("Add an account")).to_be_visible()
