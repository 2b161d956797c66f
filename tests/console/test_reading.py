"""What the console says about whom a message reaches, and what a phone shows of it."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.console.test_pages import console_of, town
from tests.support.console import CLOSED, PHONE, TALKING, needs_browser

pytestmark = [needs_browser, pytest.mark.e2e, pytest.mark.slow]

BEYOND = """(selector) => [...document.querySelectorAll(selector)]
  .filter((each) => each.getBoundingClientRect().right > document.documentElement.clientWidth)
  .map((each) => each.textContent)"""


async def test_a_conversation_says_who_reads_what_is_sent_to_it() -> None:
    async with console_of(town(), (TALKING, "ada", "hello there")) as (_, console):
        page = console.page
        await console.open("chat", "Chat")
        await page.get_by_role("link", name="hello there").click()
        with_whom = page.get_by_role("heading", name=f"ada at local:{TALKING}, agent echo")
        await expect(with_whom).to_be_visible()
        field = page.get_by_label("Message", exact=True)
        await expect(field).to_have_accessible_description(
            "To the agent; ada does not see it, nor the answer."
        )


async def test_a_phone_shows_the_whole_navigation_and_what_the_lists_are() -> None:
    async with console_of(town(), (CLOSED, "eve", "let me in")) as (_, console):
        page = console.page
        await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        await console.open("people", "People")
        row = page.get_by_role("row").filter(has_text=CLOSED)
        for text in ("direct: allowlist, 0 listed", "groups: allowlist, 0 listed"):
            cell = row.get_by_role("cell", name=text)
            red = await page.evaluate(
                "getComputedStyle(document.querySelector('.doors b.bad')).color"
            )
            await expect(cell).to_have_css("color", red)
        await expect(row).to_contain_text("1 not answered in 24 h")
        for route, title in (("fleet", "Fleet"), ("logs", "Logs"), ("messages", "Messages")):
            await console.open(route, title)
            beyond = await page.evaluate(BEYOND, ".rail a, .chips > *, .verbs > *")
            assert beyond == [], route
