"""What the console shows of a fault at once: what, why, what comes next and what to do."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from playwright.async_api import Locator, expect

from tests.support import faulty
from tests.support.console import CLOSED, PHONE, TALKING, WIDE, chromium, fleet, needs_browser, tab
from tests.support.daemon import Daemon
from tests.support.local_people import say
from tests.support.short_directory import ShortDirectory
from tests.support.tiny_disk import tiny_disk
from workers.testing.fakes.telegram import fake_telegram

pytestmark = [needs_browser, pytest.mark.e2e, pytest.mark.slow]

SUPPORT, LOOP = "telegram:support", "faulty:loop"
REVOKED = "123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


async def seen(place: Locator, *texts: str | re.Pattern[str]) -> None:
    """Wait until texts stand in a place that is in the window."""
    for text in texts:
        await expect(place).to_contain_text(text)
    await expect(place).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("size", [WIDE, PHONE])
async def test_each_account_with_a_fault_says_what_why_and_what_to_do(
    size: tuple[int, int],
) -> None:
    with ShortDirectory() as place:
        path = faulty.install(place / "faulty")
        async with fake_telegram() as telegram, chromium() as browser:
            telegram.bot(REVOKED).revoked = True
            config = fleet(3)
            support = {"botToken": REVOKED, "apiRoot": telegram.root}
            config["channels"]["telegram"] = {"accounts": {"support": support}}
            config["channels"]["faulty"] = {"accounts": {"loop": {"fault": "exit"}}}
            async with Daemon(place, config, PYTHONPATH=str(path)) as daemon:
                await daemon.wait_phase(f"local:{CLOSED}", "running")
                writer = await say(daemon, CLOSED, "eve", "let me in", answered=False)
                await daemon.wait(lambda now: now["accounts"][LOOP]["failures"] >= 10)
                async with tab(browser, daemon, size=size) as console:
                    await console.sign_in()
                    row = console.page.get_by_role("row")
                    revoked = row.filter(has_text=SUPPORT)
                    await seen(revoked, "needs login", "Telegram knows no bot with this token")
                    where = f"#/account/{SUPPORT}/configuration"
                    renew = revoked.get_by_role("link", name="renew login or secret")
                    await expect(renew).to_have_attribute("href", where)
                    loop = row.filter(has_text=LOOP)
                    await seen(loop, "backoff", "exited (code 3)", re.compile(r"\d\d+ failures"))
                    await expect(loop.get_by_role("button", name="Try now")).to_be_visible()
                    closed = row.filter(has_text=CLOSED)
                    await seen(closed, "empty list", "1 message not answered", "fill its lists")
                    await console.open(f"account/{SUPPORT}", SUPPORT)
                    now = console.page.locator(".account > .now")
                    start = f"trunkline channels start {SUPPORT}"
                    await seen(now, "needs login", "Down for", "To do: ", start, "Read its log")
                    assert await console.violations() == []
                    await console.open(f"account/{LOOP}", LOOP)
                    await seen(now, "backoff", re.compile(r"tries again at .* \(in \d+ min"))
                    await now.get_by_role("link", name="Read its log").click()
                    await expect(console.text("all levels")).to_be_visible()
                writer.close()


def fill(path: Path) -> None:
    """Write a file until its disk is full."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


async def test_a_full_disk_is_seen_on_every_page_with_what_ends_it() -> None:
    with ShortDirectory() as place, tiny_disk(place / "state", 24) as disk:
        async with Daemon(place, fleet(3)) as daemon, chromium() as browser:
            await daemon.wait_phase(f"local:{TALKING}", "running")
            writer = await say(daemon, TALKING, "ada", "hello there")
            filler = disk / "filler"
            fill(filler)
            async with tab(browser, daemon) as console:
                await console.sign_in()
                for number in range(400):
                    writer.write(f"{number} {'y' * 2000}\n".encode())
                warning = console.page.locator(".warnings")
                more = warning.get_by_role("button", name="1 more")  # the history is not written
                await console.page.add_locator_handler(more, lambda button: button.click())
                full = "the gateway stores no messages: journal full; it goes on once there is room"
                await seen(warning, full)
                row = console.page.get_by_role("row").filter(has_text=TALKING)
                await seen(row, "degraded: journal full", "needs room on the disk")
                await console.open("logs", "Logs")
                await seen(warning, full)
                assert await console.violations() == []
                filler.unlink()
                await expect(warning).to_have_count(0)
            writer.close()
