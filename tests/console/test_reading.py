"""What the console says about whom a message reaches, and what a phone shows of it."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import expect

from ipc.errors import RemoteError
from tests.console.test_pages import console_of, town
from tests.support.console import CLOSED, PAIRING, PHONE, TALKING, needs_browser
from tests.support.local_people import say

pytestmark = [needs_browser, pytest.mark.e2e, pytest.mark.slow]

MONO = re.compile("monospace")
MARK = """() => {
  const rows = [...document.querySelectorAll(".table-body > .row")];
  for (const row of rows) row.marked = true;
  return rows.length;
}"""
ANEW = """() => [...document.querySelectorAll(".table-body > .row")]
  .filter((row) => !row.marked).length"""
CUT = """(cell, text) => {
  cell.textContent = text;
  return cell.scrollWidth > cell.clientWidth;
}"""
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
        red = await page.locator(".doors b.bad").first.evaluate(
            "(marked) => getComputedStyle(marked).color"
        )
        for text in ("direct: allowlist, 0 listed", "groups: allowlist, 0 listed"):
            await expect(row.get_by_role("cell", name=text)).to_have_css("color", red)
        await expect(row).to_contain_text("1 not answered in 24 h")
        await page.locator(".access .help").click()  # what it means appears within the window
        await expect(page.locator(".access .meaning")).to_be_in_viewport(ratio=1)
        content = page.locator("#content")
        assert await content.evaluate("each => each.scrollWidth <= each.clientWidth")
        for route, title in (("fleet", "Fleet"), ("logs", "Logs"), ("messages", "Messages")):
            await console.open(route, title)
            beyond = await page.evaluate(BEYOND, ".rail a, .chips > *, .verbs > *")
            assert beyond == [], route


async def test_who_was_refused_is_named_and_let_in() -> None:
    async with console_of(town(), (CLOSED, "eve", "let me in")) as (daemon, console):
        page = console.page
        await console.open(f"people/local:{CLOSED}", "People")
        refused = page.get_by_role("list", name="Who wrote lately and is not answered")
        await expect(refused.get_by_role("listitem")).to_contain_text("eve: the sender is not")
        assert await console.violations() == []
        await refused.get_by_role("button", name="Let in", exact=True).click()
        await expect(page.get_by_label("Listed people")).to_have_value("unverified:eve")
        await page.get_by_role("button", name="Save", exact=True).click()
        await expect(page.get_by_role("dialog")).to_have_count(0)
        client = await daemon.client()
        answer = await client.call("channels.access")
        await client.close()
        lists = {each["account"]: each["allowFrom"] for each in answer["accounts"]}
        assert lists[f"local:{CLOSED}"] == ["unverified:eve"]


async def test_who_waits_is_quoted() -> None:
    async with console_of(town(), (PAIRING, "grace", "may I come in?")) as (_, console):
        page = console.page
        await console.open("people", "People")
        waiting = page.get_by_role("region", name="Waiting to be let in")
        await expect(waiting.locator("blockquote")).to_have_text("may I come in?")
        await expect(waiting.get_by_role("button", name="Approve and tell them")).to_be_visible()
        await expect(waiting).to_contain_text("The code expires in ")
        await expect(waiting.locator("bdi")).to_have_text("grace")  # reorders nothing beside it


async def test_a_fleet_s_figures_are_not_cut() -> None:
    longest = {"up": "59 min", "restarts": "9,999", "memory": "1023 MiB", "cpu": "100 %"}
    async with console_of(town()) as (daemon, console):
        await daemon.wait_phase(f"local:{TALKING}", "running")
        row = console.page.get_by_role("row").filter(has_text=TALKING)
        for name, text in longest.items():
            cell = row.locator(f".{name}")
            await expect(cell).to_have_count(1)
            cut = await cell.evaluate(CUT, text)
            assert not cut, name
        await console.open("add", "Add an account")
        current = console.page.locator('.rail [aria-current="page"]')
        await expect(current).to_have_text(re.compile("^Fleet"))


async def test_a_message_that_was_not_sent_is_among_what_went_wrong() -> None:
    async with console_of(town()) as (daemon, console):
        await daemon.wait_phase(f"local:{TALKING}", "running")
        client = await daemon.client()
        letter = {"channel": "local", "accountId": TALKING, "to": "nobody", "message": "are you?"}
        for number in range(3):
            with pytest.raises(RemoteError, match="nobody is not connected"):
                await client.call("send", letter | {"idempotencyKey": f"k{number}"})
        await client.close()
        await console.open("gateway", "Gateway")
        faults = console.page.get_by_role("region", name="What went wrong lately")
        line = faults.get_by_role("listitem").filter(has_text="did not send a message")
        await expect(line).to_contain_text(f"local:{TALKING} did not send a message: nobody is not")
        await expect(line).to_contain_text("3 times since")


async def test_a_busy_stream_uses_the_elements_of_its_rows_again() -> None:
    async with console_of(town(), (CLOSED, "eve", "let me in")) as (daemon, console):
        page = console.page
        await console.open("messages", "Messages")

        async def come(name: str) -> None:
            lines = "\n".join(f"{name} {number}" for number in range(60))
            writer = await say(daemon, CLOSED, name, lines, answered=False)
            await expect(page.get_by_text(f"{name} 59", exact=True)).to_be_visible()
            writer.close()

        await come("first")
        drawn = await page.evaluate(MARK)
        assert drawn > 15
        await come("second")
        assert await page.evaluate(ANEW) == 0

        top = page.locator(".table-body > .row").first
        held = await top.element_handle()
        await top.get_by_role("link").focus()
        await come("third")
        assert not await held.evaluate("row => row.isConnected")  # it went, with the keyboard
        await expect(page.locator("#content")).to_be_focused()

        await top.hover()
        await page.mouse.down()
        await come("fourth")
        await page.mouse.up()  # on another message than the one that was pressed
        await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_many_messages_are_read_in_batches_and_none_is_missing() -> None:
    async with console_of(town(), (CLOSED, "eve", "let me in")) as (daemon, console):
        page = console.page
        await console.open("messages", "Messages")
        number = page.locator(".messages .chips > .faint").filter(has_text="message")
        writer = await say(daemon, CLOSED, "ada", "the first", answered=False)
        await expect(page.get_by_text("the first", exact=True)).to_be_visible()
        before = int((await number.inner_text()).split()[0].replace(",", ""))
        written = 0
        batched = number.filter(has_text="read every 2 s")
        while not await batched.count():
            writer.write(b"".join(b"more %d\n" % (written + number) for number in range(20)))
            written += 20
            await asyncio.sleep(0.1)  # so many a second: this is what is tried
        await expect(batched).to_have_count(0)  # they have come to an end
        await expect(number).to_contain_text(f"{before + written:,} messages")
        # A reader of the screen would read it aloud with each message.
        await expect(page.get_by_role("status").filter(has_text="messages")).to_have_count(0)
        await expect(page.get_by_text(f"more {written - 1}", exact=True)).to_be_visible()
        writer.write(b"the last\n")
        await expect(page.get_by_text("the last", exact=True)).to_be_visible()
        await expect(page.get_by_text("Messages are missing")).to_have_count(0)
        writer.close()


async def test_what_was_given_up_is_read() -> None:
    async with console_of(town()) as (daemon, console):
        await daemon.wait_phase(f"local:{TALKING}", "running")
        client = await daemon.client()
        letter = {"channel": "local", "accountId": TALKING, "to": "nobody", "message": "are you?"}
        await client.call("send", letter | {"idempotencyKey": "k", "queue": True})
        await client.close()
        await console.open("messages?view=given-up", "Messages")
        await console.page.get_by_role("button", name="are you?").click()
        await expect(console.page.get_by_role("dialog")).to_contain_text("are you?")


async def test_the_gateway_s_page_begins_with_what_went_wrong() -> None:
    async with console_of(town()) as (daemon, console):
        page = console.page
        await daemon.wait_phase("irc:harbour", "backoff")
        await console.open("gateway", "Gateway")
        faults = page.get_by_role("region", name="What went wrong lately")
        await expect(page.get_by_role("heading", level=2).first).to_have_text(
            "What went wrong lately"
        )
        line = faults.get_by_role("listitem").filter(has_text="irc:harbour failed, and is tried")
        await expect(line.get_by_role("link").first).to_have_attribute(
            "href", "#/account/irc:harbour"
        )
        await expect(page.get_by_role("columnheader", name="Waits to be read")).to_be_visible()
        await expect(page.locator(".button.danger", has_text="Restart")).to_be_visible()
        await expect(console.text("not used yet")).to_have_count(0)
        assert await console.violations() == []


async def test_an_account_is_removed_at_the_end_of_its_form() -> None:
    async with console_of(town()) as (_, console):
        page = console.page
        await console.open(f"account/local:{TALKING}/configuration", f"local:{TALKING}")
        apart = page.get_by_role("region", name="Remove this account")
        await expect(apart.get_by_role("button", name="Remove account")).to_be_visible()
        await expect(page.locator(".save").get_by_role("button")).to_have_count(1)
        await expect(page.get_by_role("link", name="The whole file")).to_be_visible()
        assert await console.violations() == []
        await console.open("add?channel=irc", "Add an account")
        first = page.locator(".account-editor > *").first
        await expect(first).to_contain_text("irc is added by a command on the gateway's host")
        await expect(console.text("what is typed replaces it")).to_have_count(0)
        await console.open("add?channel=telegram", "Add an account")
        await expect(first).to_contain_text('Leave the fields that are marked "host only" empty')
        await page.get_by_label("Account it becomes").fill("mybot")
        await page.get_by_label("botToken").fill("12345")
        await expect(
            console.text("It may be added, but botToken is not a bot token")
        ).to_be_visible()
        await page.get_by_label("botToken").fill("110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1")
        await expect(console.text("It is valid. Nothing else restarts.")).to_be_visible()


async def test_a_file_of_one_line_is_laid_out() -> None:
    """The daemon's file of this test is such a one."""
    async with console_of(town()) as (_, console):
        page = console.page
        await console.open("configuration", "Configuration")
        editor = page.get_by_label("The configuration's text")
        assert (await editor.input_value()).count("\n") > 20
        await expect(console.text("A save writes it like this.")).to_be_visible()
        await expect(page.get_by_role("button", name="Undo all")).to_be_disabled()
        await expect(page.locator(".head .note code")).to_have_css("font-family", MONO)
        assert await console.violations() == []


async def test_a_plot_says_its_newest_values_to_a_reader_of_the_screen() -> None:
    async with console_of(town()) as (daemon, console):
        await daemon.wait_phase(f"local:{TALKING}", "running")
        await console.open(f"account/local:{TALKING}", f"local:{TALKING}")
        memory = re.compile(r"^Memory, memory \d.* MiB$")
        await expect(console.page.get_by_role("img", name=memory)).to_be_visible()
