"""What a person changes in the console, what waits there, and what stands still while one reads."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.console.test_pages import console_of, town
from tests.support.console import CLOSED, TALKING, Console, needs_browser
from tests.support.daemon import FAST, Daemon
from tests.support.gate import REFUSAL, Gate, gate_of
from tests.support.local_people import say
from tests.support.until import until

pytestmark = [needs_browser, pytest.mark.e2e, pytest.mark.slow]

SLOW = {"initialSeconds": 600, "maximumSeconds": 600}


async def test_an_account_that_waits_is_tried_now_and_its_history_says_by_whom() -> None:
    config = town() | {"supervisor": {"restart": FAST | SLOW}}
    async with console_of(config) as (daemon, console):
        page = console.page
        before = (await daemon.wait_phase("irc:harbour", "backoff"))["incarnation"]
        row = page.get_by_role("row").filter(has_text="irc:harbour")
        await row.get_by_role("button", name="Try now: irc:harbour").click()
        await expect(console.text("Start accepted: irc:harbour")).to_be_visible()
        await daemon.wait(lambda now: now["accounts"]["irc:harbour"]["incarnation"] > before)
        await console.open("account/irc:harbour", "irc:harbour")
        history = page.get_by_role("list", name="History")
        await expect(history).to_contain_text('started by an operator by "Console in Chrome on')
        await expect(page.get_by_role("button", name="Try now: irc:harbour")).to_be_visible()
        await expect(page.get_by_role("button", name="Start", exact=True)).to_have_count(0)
        coming = re.compile(r"tries again at (\d\d-\d\d )?\d\d:\d\d(:\d\d)? \(in \d+ min \d\d s\)")
        await expect(page.locator(".account > .now")).to_contain_text(coming)


async def test_the_page_of_the_gateway_says_who_has_changed_what() -> None:
    async with console_of(town()) as (daemon, console):
        page = console.page
        client = await daemon.client()
        await client.call("channels.stop", {"channel": "irc", "accountId": "harbour"})
        await client.call("set-heartbeats", {"enabled": False})
        await client.close()
        await daemon.wait_phase("irc:harbour", "stopped")
        await console.open("gateway", "Gateway")
        listed = page.get_by_role("region", name="Who has changed what").get_by_role("listitem")
        await expect(listed.first).to_contain_text("heartbeats were switched off by ")
        await expect(listed.first).to_contain_text("at 127.0.0.1")
        await expect(listed.nth(1)).to_contain_text("channels.stop irc:harbour by ")


async def test_an_account_that_fails_again_and_again_says_so_all_the_time() -> None:
    again = {"initialSeconds": 0.2, "maximumSeconds": 0.2, "slowAfter": 1000}
    config = town() | {"supervisor": {"restart": FAST | again}}
    async with console_of(config) as (daemon, console):
        page = console.page
        await daemon.wait(lambda now: now["accounts"]["irc:harbour"]["failures"] >= 4)
        row = page.get_by_role("row").filter(has_text="irc:harbour")
        await expect(row.locator(".restarts")).to_have_text(re.compile("^([4-9]|\\d\\d+)$"))
        await expect(row.locator(".restarts")).to_have_attribute("title", re.compile("last 24 h"))
        await expect(page.locator(".note")).to_contain_text("1 in backoff")
        said = await page.evaluate(NOTES)  # while it tries several times
        assert [each for each in said if "1 in backoff" not in each] == []
        await console.open("account/irc:harbour", "irc:harbour")
        now = page.locator(".account > .now")
        await expect(now).to_contain_text(re.compile("Down for .+, \\d+ failures"))
        history = page.get_by_role("list", name="History")
        tries = history.get_by_role("listitem").filter(has_text=re.compile("^.*\\d tries: "))
        await expect(tries.first).to_be_visible()
        before = await history.get_by_role("listitem").count()
        await tries.first.get_by_role("button", name="Show each").click()
        await expect(history.get_by_role("listitem").nth(before + 3)).to_be_attached()


NOTES = """async () => {
  const said = [];
  for (let tries = 0; tries < 30; tries++) {
    said.push(document.querySelector(".note").textContent);
    await new Promise((done) => setTimeout(done, 50));
  }
  return said;
}"""


async def test_what_is_not_there_or_disabled_leads_to_where_that_changes() -> None:
    config = town()
    config["channels"]["local"]["accounts"]["fjord-005"] = {"enabled": False}
    async with console_of(config) as (_, console):
        page = console.page
        row = page.get_by_role("row").filter(has_text="fjord-005")
        there = row.get_by_role("link", name="enable it in its configuration")
        await expect(there).to_have_attribute("href", "#/account/local:fjord-005/configuration")
        await page.get_by_label("Select local:fjord-005").check()
        await expect(page.get_by_role("button", name="Start", exact=True)).to_be_disabled()
        await page.get_by_label("Select all that are shown").check()
        await page.get_by_role("button", name=re.compile("^Stop")).click()
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text(re.compile(r"irc:harbour, local:\S+, local:\S+ \+ \d"))
        await expect(dialog).to_contain_text("until somebody starts them")
        await page.keyboard.press("Escape")
        await console.open("account/irc:harbor", "There is no account irc:harbor")
        await page.get_by_role("link", name="irc:harbour").click()
        await expect(console.heading("irc:harbour")).to_be_visible()


async def test_a_saved_list_restarts_nothing_and_stands_in_the_history_all_the_same() -> None:
    async with console_of(town()) as (_, console):
        page = console.page
        await console.open(f"people/local:{CLOSED}", "People")
        await page.get_by_label("Listed people").fill("unverified:eve")
        await page.get_by_role("button", name="Save", exact=True).click()
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await console.open(f"account/local:{CLOSED}", f"local:{CLOSED}")
        history = page.get_by_role("list", name="History")
        await expect(history).to_contain_text("its configuration changed")
        await expect(history).to_contain_text('by "Console in Chrome on')


async def test_what_waits_for_a_person_is_counted_in_the_navigation() -> None:
    async with console_of(town(), (TALKING, "ada", "hello"), (CLOSED, "eve", "let me in")) as (
        daemon,
        console,
    ):
        client = await daemon.client()
        letter = {"channel": "local", "accountId": TALKING, "to": "nobody", "message": "are you?"}
        await client.call("send", letter | {"idempotencyKey": "k", "queue": True})
        await client.close()
        page = console.page
        await console.open("messages?view=given-up", "Messages")
        await expect(page.get_by_role("row").filter(has_text="is not connected")).to_be_visible()
        await page.reload()
        rail = page.get_by_role("navigation", name="Pages")
        messages = rail.get_by_role("link", name=re.compile("^Messages"))
        await expect(messages).to_contain_text("1 given up")
        await expect(rail.get_by_role("link", name=re.compile("^People"))).to_contain_text(
            "1 with an empty list that has cost messages"
        )
        await page.get_by_role("button", name="Discard").click()
        await page.get_by_role("dialog").get_by_role("button", name="Discard").click()
        await expect(messages).not_to_contain_text("given up")


async def test_messages_stand_still_while_one_reads_further_down() -> None:
    config = town()
    config["channels"]["local"]["accounts"]["grove-900"] = {"rate": 20}
    async with console_of(config) as (_, console):
        page = console.page
        await console.open("messages", "Messages")
        rows = page.locator(".table-body > .row")
        await expect(rows.nth(20)).to_be_attached()
        table = page.get_by_role("table")
        await table.evaluate("(at) => { at.scrollTop = 96; }")
        news = page.get_by_role("button", name="new", exact=False)
        await expect(news).to_be_visible()
        first = await rows.nth(8).locator(".text").text_content()
        await page.wait_for_timeout(1000)  # messages go on coming meanwhile
        assert await rows.nth(8).locator(".text").text_content() == first
        await news.click()
        await expect(news).to_have_count(0)
        assert await table.evaluate("(at) => at.scrollTop") == 0


async def test_one_talks_to_an_account_as_a_person() -> None:
    async with console_of(town()) as (daemon, console):
        page = console.page
        client = await daemon.client()
        for name in (TALKING, CLOSED):
            await daemon.wait_phase(f"local:{name}", "running")
        await console.open("chat", "Chat")
        await page.get_by_role("button", name="Talk as a person").click()
        await page.locator("select[name=account]").select_option(f"local:{TALKING}")
        await page.get_by_label("Your name there").fill("grace")
        await client.call("channels.stop", {"channel": "local", "accountId": CLOSED})
        await client.close()
        other = page.locator("select[name=account] option").filter(has_text=CLOSED)
        await expect(other).to_have_count(0)  # the form was drawn anew, and the name is still there
        await page.get_by_role("button", name="Begin").click()
        field = page.get_by_label("Say as grace")
        await field.fill("is anybody there?")
        await page.keyboard.press("Enter")
        said = page.get_by_role("log")
        await expect(said).to_contain_text("echo: is anybody there?")
        await expect(field).to_have_value("")
        await page.reload()  # the person is still there, and what was said
        await expect(said).to_contain_text("echo: is anybody there?")
        await page.get_by_role("link", name="What became of it").click()
        await expect(page.get_by_role("dialog")).to_contain_text("Answered by the agent")
        writer = await say(daemon, TALKING, "ada", "me, too")
        await page.keyboard.press("Escape")
        await console.open(f"chat/person/local:{TALKING}/grace", "Chat")
        await expect(said).not_to_contain_text("me, too")
        writer.close()


async def test_a_field_that_only_the_host_changes_is_shown_with_its_command() -> None:
    async with console_of(town()) as (_, console):
        page = console.page
        await console.open("account/irc:harbour/configuration", "irc:harbour")
        await expect(console.text("changes on the gateway's host only")).to_be_visible()
        await expect(page.get_by_label("server", exact=True)).to_have_count(0)
        await page.get_by_text("How to change it there").first.click()
        command = page.locator(".locked .command").first
        await expect(command).to_contain_text("trunkline config patch --state-dir")
        await expect(command).to_contain_text('{"channels":{"irc":{"accounts":{"harbour":{')


async def patched(daemon: Daemon, channels: dict[str, Any]) -> None:
    """Change the configuration as another operator does."""
    client = await daemon.client()
    file = await client.call("config.get")
    change = {"raw": json.dumps({"channels": channels}), "baseHash": file["hash"]}
    await client.call("config.patch", change)
    await client.close()


async def test_lists_that_were_changed_elsewhere_are_not_taken_back() -> None:
    async with console_of(town()) as (daemon, console):
        page = console.page
        await console.open(f"people/local:{CLOSED}", "People")
        await page.get_by_label("Which groups are heard").select_option("disabled")
        save = page.get_by_role("button", name="Save", exact=True)
        await expect(save).to_be_enabled()
        await patched(daemon, {"local": {"accounts": {CLOSED: {"allowFrom": ["unverified:eve"]}}}})
        alert = page.get_by_role("dialog").get_by_role("alert")
        await expect(alert).to_contain_text("These lists have been changed elsewhere meanwhile")
        await expect(save).to_be_disabled()
        await page.get_by_role("button", name="Close", exact=True).last.click()
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await console.open(f"people/local:{CLOSED}", "People")
        await expect(page.get_by_label("Listed people")).to_have_value("unverified:eve")
        await expect(alert).to_have_count(0)


async def test_a_box_about_lists_goes_from_an_account_s_page_once_they_are_filled() -> None:
    async with console_of(town()) as (daemon, console):
        await console.open(f"account/local:{CLOSED}", f"local:{CLOSED}")
        box = console.page.get_by_role("group", name="Lists that let nobody in")
        await expect(box).to_be_visible()
        lists = {"allowFrom": ["unverified:eve"], "groupPolicy": "disabled"}
        await patched(daemon, {"local": {"accounts": {CLOSED: lists}}})
        await expect(box).to_have_count(0)


async def test_an_account_that_is_removed_or_added_is_so_on_its_page_too() -> None:
    async with console_of(town()) as (daemon, console):
        await console.open("account/local:fjord-005", "local:fjord-005")
        await patched(daemon, {"local": {"accounts": {"fjord-005": None}}})
        await expect(console.heading("There is no account local:fjord-005")).to_be_visible()
        await patched(daemon, {"local": {"accounts": {"fjord-005": {}}}})
        await expect(console.heading("local:fjord-005")).to_be_visible()


async def test_json_that_is_typed_outlives_changes_elsewhere() -> None:
    async with console_of(town()) as (daemon, console):
        page = console.page
        key = f"local:{TALKING}"
        await console.open(f"account/{key}/configuration", key)
        await page.get_by_role("button", name="JSON", exact=True).click()
        text = page.get_by_label("The account as JSON", exact=False)
        await text.fill('{"journal": "on", "greeting": "good night"}')
        await expect(console.text("It is valid.")).to_be_visible()
        await patched(daemon, {"local": {"accounts": {"fjord-005": None}}})
        elsewhere = page.get_by_role("alert").filter(has_text="has been changed elsewhere")
        await daemon.wait(lambda now: "local:fjord-005" not in now["accounts"])
        await expect(text).to_have_value(re.compile("good night"))
        await expect(elsewhere).to_have_count(0)
        await patched(daemon, {"local": {"accounts": {TALKING: {"greeting": "hello"}}}})
        await expect(elsewhere).to_be_visible()
        await expect(text).to_have_value(re.compile("good night"))
        await page.get_by_role("button", name="Review and save").click()
        difference = page.get_by_role("region", name="Difference")
        await expect(difference).to_contain_text("good night")
        await page.get_by_role("dialog").get_by_role("button", name="Save").click()
        await expect(console.text("Nothing has been changed.")).to_be_visible()
        await expect(elsewhere).to_have_count(0)


async def test_accounts_for_which_a_verb_failed_stay_selected() -> None:
    async with console_of(town()) as (_, console):
        page = console.page
        gate = await gate_of(console)
        gate.refuses = lambda frame: (
            frame["method"] == "channels.stop" and frame["params"]["accountId"] == CLOSED
        )
        for name in (TALKING, CLOSED):
            await page.get_by_label(f"Select local:{name}").check()
        await page.get_by_role("button", name="Stop", exact=True).click()
        await page.get_by_role("dialog").get_by_role("button", name="Stop 2 accounts").click()
        failed = f"Stop failed for 1 account, still selected. local:{CLOSED}: {REFUSAL['message']}"
        await expect(page.get_by_text(failed)).to_be_visible()
        await expect(page.get_by_label(f"Select local:{CLOSED}")).to_be_checked()
        await expect(page.get_by_label(f"Select local:{TALKING}")).not_to_be_checked()


async def test_what_a_button_has_begun_is_not_begun_once_more_before_it_has_ended() -> None:
    async with console_of(town()) as (_, console):
        gate = await gate_of(console)
        await console.open("gateway", "Gateway")
        changes, faults = (
            console.page.get_by_role("region", name=name).get_by_role("button", name="Read again")
            for name in ("Who has changed what", "What went wrong lately")
        )
        await expect(faults).to_be_visible()
        gate.unanswered.add("changes.list")
        gate.asked.clear()
        await changes.dblclick()
        await faults.click()
        await until(lambda: "diagnostics.stability" in gate.asked)  # it comes after them
        assert gate.asked.count("changes.list") == 1


async def test_what_has_failed_is_said_until_a_person_has_seen_it() -> None:
    async with console_of(town()) as (_, console):
        page = console.page
        gate = await gate_of(console)
        await page.clock.install()
        await unanswered_restart(console, gate)
        said = page.get_by_text("channels.restart has not been answered within 60 s; it may have")
        await expect(said).to_be_visible()
        await page.clock.fast_forward(60_000)
        await expect(said).to_be_visible()
        await page.get_by_role("button", name="Dismiss").click()
        await expect(said).to_have_count(0)


async def unanswered_restart(console: Console, gate: Gate) -> None:
    """Restart an account, and let more time pass without an answer than the page waits."""
    await console.open(f"account/local:{TALKING}", f"local:{TALKING}")
    gate.unanswered.add("channels.restart")
    await console.page.get_by_role("button", name="Restart", exact=True).click()
    await console.page.get_by_role("button", name=f"Restart local:{TALKING}").click()
    await until(lambda: "channels.restart" in gate.asked)
    await console.page.clock.fast_forward(61_000)
