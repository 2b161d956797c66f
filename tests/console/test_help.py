"""How explanations of the console open and close: by pointing, by touch, by the keyboard."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.console.test_pages import console_of, town
from tests.support.console import PHONE, TALKING, chromium, needs_browser, tab
from tests.support.daemon import Daemon
from tests.support.short_directory import ShortDirectory

pytestmark = [needs_browser, pytest.mark.e2e, pytest.mark.slow]

PLACES = (
    ("people", "People", "What “not answered” means", "no agent was asked"),
    ("gateway", "Gateway", "What “dropped” means", "thrown away"),
    (f"account/local:{TALKING}", f"local:{TALKING}", "What “dropped” means", "thrown away"),
    (f"account/local:{TALKING}", f"local:{TALKING}", "What “not answered” means", "no agent"),
)


async def test_what_a_word_means_opens_and_is_closed_with_escape() -> None:
    async with console_of(town()) as (_, console):
        page = console.page
        for route, title, name, text in PLACES:
            await console.open(route, title)
            mark = page.get_by_role("button", name=name)
            meaning = page.locator(".meaning").filter(has_text=text)
            await expect(meaning).to_be_hidden()
            await mark.focus()
            for key in ("Enter", "Space"):
                await page.keyboard.press(key)
                await expect(meaning).to_be_visible()
                await expect(mark).to_have_attribute("aria-expanded", "true")
                assert await console.violations() == [], route
                await page.keyboard.press("Escape")
                await expect(meaning).to_be_hidden()
                await expect(mark).to_be_focused()
            await page.keyboard.press("Enter")
            await page.keyboard.press("Tab")  # who goes on has read it
            await expect(meaning).to_be_hidden()
            await mark.hover()
            await expect(meaning).to_be_visible()
            await meaning.hover()  # it can be pointed at, and its text selected
            await expect(meaning).to_be_visible()
            await page.keyboard.press("Escape")
            await expect(meaning).to_be_hidden()
            await page.mouse.move(0, 0)


async def test_what_a_word_means_is_opened_and_closed_by_touch() -> None:
    with ShortDirectory() as place:
        async with (
            Daemon(place, town()) as daemon,
            chromium() as browser,
            tab(browser, daemon, size=PHONE, touch=True) as console,
        ):
            await console.sign_in()
            await console.open("people", "People")
            mark = console.page.get_by_role("button", name="What “not answered” means")
            meaning = console.page.locator(".meaning")
            for _ in range(2):
                await mark.tap()
                await expect(meaning).to_be_in_viewport(ratio=1)
                await mark.tap()
                await expect(meaning).to_be_hidden()
            await mark.tap()
            await console.heading("People").tap()
            await expect(meaning).to_be_hidden()


async def test_escape_closes_a_part_that_was_opened_and_leaves_the_keyboard_there() -> None:
    async with console_of(town()) as (_, console):
        page = console.page
        await console.open("account/irc:harbour/configuration", "irc:harbour")
        summary = page.get_by_text("How to change it there").first
        command = page.locator(".locked .command").first
        await summary.press("Enter")
        await expect(command).to_be_visible()
        await command.focus()
        await page.keyboard.press("Escape")
        await expect(command).to_be_hidden()
        await expect(summary).to_be_focused()
