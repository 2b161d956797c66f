"""What a person chooses for a browser: single keys, forced colours; and the title of a tab."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.console.test_pages import console_of, town
from tests.support.console import TALKING, needs_browser

pytestmark = [needs_browser, pytest.mark.e2e, pytest.mark.slow]


async def test_single_keys_are_switched_off_and_stay_so() -> None:
    async with console_of(town()) as (_, console):
        page = console.page
        selected = page.locator(".row.selected")
        await expect(page.get_by_role("row").filter(has_text=TALKING)).to_be_visible()
        await page.keyboard.press("?")
        switch = page.get_by_role("button", name="Single-key shortcuts")
        await expect(switch).to_have_text("Single-key shortcuts: on")
        await switch.click()
        assert await console.violations() == []
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await page.keyboard.press("j")
        await page.reload()
        await expect(page.get_by_role("row").filter(has_text=TALKING)).to_be_visible()
        await page.keyboard.press("j")
        await page.keyboard.press("?")
        await page.get_by_role("button", name="Keys", exact=True).click()
        await expect(page.get_by_role("dialog")).to_have_count(1)
        await expect(switch).to_have_text("Single-key shortcuts: off")
        await switch.click()
        await page.keyboard.press("Escape")
        await expect(selected).to_have_count(0)
        await page.keyboard.press("j")
        await expect(selected).to_have_count(1)


async def test_what_is_chosen_is_seen_in_the_colours_of_the_system() -> None:
    async with console_of(town()) as (_, console):
        page = console.page
        await page.emulate_media(forced_colors="active")
        await expect(page.get_by_role("row").filter(has_text=TALKING)).to_be_visible()
        await page.keyboard.press("j")
        for chosen in (
            ".row.selected",
            '.chip[aria-pressed="true"]',
            '.rail [aria-current="page"]',
        ):
            await expect(page.locator(chosen)).to_have_css("outline-style", "solid")


async def test_a_tab_is_called_after_its_account() -> None:
    async with console_of(town()) as (_, console):
        await expect(console.page).to_have_title("Fleet – Trunkline")  # noqa: RUF001
        await console.open("account/irc:harbour", "irc:harbour")
        await expect(console.page).to_have_title("irc:harbour – Trunkline")  # noqa: RUF001
        await console.open("add", "Add an account")
        await expect(console.page).to_have_title("Add an account – Trunkline")  # noqa: RUF001


async def test_lists_are_used_by_the_keyboard_where_single_keys_are_switched_off() -> None:
    async with console_of(town()) as (daemon, console):
        page = console.page
        await daemon.wait_phase("irc:harbour", "backoff")
        await page.evaluate("localStorage.setItem('trunkline.keys', 'off')")
        await page.reload()
        for route, title in (
            ("fleet", "Fleet"),
            ("logs", "Logs"),
            ("account/irc:harbour/log", "irc:harbour"),
        ):
            await console.open(route, title)
            await expect(page.locator(".table-body > .row").first).to_be_visible()
            await page.get_by_role("table").focus()
            for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
                await page.keyboard.press(key)
            await expect(page.locator(".row.selected")).to_have_count(1)
            await page.keyboard.press("Enter")
            if title == "Fleet":  # the first of the list, as one was gone back
                await expect(console.heading("irc:harbour")).to_be_visible()
            else:
                await expect(page.get_by_role("dialog")).to_be_visible()
                assert await console.violations() == []
                await page.keyboard.press("Escape")
                await expect(page.get_by_role("dialog")).to_have_count(0)
