"""What a person does with each page of the console, in a real browser on a real daemon."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import WebSocketRoute, expect

from tests.support.console import (
    CLOSED,
    PAIRING,
    PHONE,
    TALKING,
    WIDE,
    Console,
    accounts,
    chromium,
    fleet,
    needs_browser,
    tab,
)
from tests.support.daemon import Daemon
from tests.support.local_people import say
from tests.support.short_directory import ShortDirectory
from tests.support.until import PATIENCE

pytestmark = [needs_browser, pytest.mark.e2e, pytest.mark.slow]

ROUTES = (
    ("fleet", "Fleet"),
    (f"account/local:{TALKING}", f"local:{TALKING}"),
    ("account/irc:harbour", "irc:harbour"),
    ("add", "Add an account"),
    ("messages", "Messages"),
    ("messages?view=given-up", "Messages"),
    ("people", "People"),
    (f"people/local:{CLOSED}", "People"),
    ("chat", "Chat"),
    ("gateway", "Gateway"),
    ("logs", "Logs"),
    ("configuration", "Configuration"),
)


def town() -> dict[str, Any]:
    """Return a configuration in which something is to be seen on every page."""
    return fleet(6)


@asynccontextmanager
async def console_of(
    config: dict[str, Any], *people: tuple[str, str, str]
) -> AsyncIterator[tuple[Daemon, Console]]:
    """Run a daemon to which people have talked, and a browser that is signed in."""
    with ShortDirectory() as place:
        async with Daemon(place, config) as daemon, chromium() as browser:
            writers = []
            for account, name, text in people:
                await daemon.wait_phase(f"local:{account}", "running")
                writers.append(await say(daemon, account, name, text, answered=account != CLOSED))
            async with tab(browser, daemon) as console:
                await console.sign_in()
                yield daemon, console
            for writer in writers:
                writer.close()


async def test_a_message_is_followed_from_its_arrival_to_its_delivery() -> None:
    async with console_of(town(), (TALKING, "ada", "hello there")) as (daemon, console):
        page = console.page
        await console.open("messages", "Messages")
        row = page.get_by_role("row").filter(has_text="← out").filter(has_text="hello there")
        await expect(row).to_be_visible()
        writer = await say(daemon, TALKING, "grace", "and me")  # it appears by itself
        came = page.get_by_role("row").filter(has_text="→ in").filter(has_text="and me")
        await expect(came.locator(".outcome")).to_have_text("answered by echo")
        await expect(row.locator(".outcome")).to_have_text("sent, answer of echo")
        await came.click()
        dialog = page.get_by_role("dialog")
        for step in ("Arrived", "Admitted", "Answered by the agent", "Sent"):
            await expect(dialog.get_by_text(step, exact=True)).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        await page.get_by_label("Search messages").fill("nothing like it")
        await expect(console.text("None of the newest messages matches")).to_be_visible()
        writer.close()


async def test_what_was_given_up_is_discarded_by_a_person() -> None:
    async with console_of(town(), (TALKING, "ada", "hello")) as (daemon, console):
        client = await daemon.client()
        letter = {"channel": "local", "accountId": TALKING, "to": "nobody", "message": "are you?"}
        await client.call("send", letter | {"idempotencyKey": "k", "queue": True})
        await client.close()
        page = console.page
        await console.open("messages?view=given-up", "Messages")
        letter_row = page.get_by_role("row").filter(has_text="nobody is not connected")
        await expect(letter_row).to_contain_text("are you?")
        await page.get_by_role("button", name="Discard").click()
        await page.get_by_role("dialog").get_by_role("button", name="Discard").click()
        await expect(console.text("Nothing was given up")).to_be_visible()


async def test_an_empty_list_is_seen_with_what_it_costs_and_is_filled() -> None:
    async with console_of(town(), (CLOSED, "eve", "let me in")) as (daemon, console):
        page = console.page
        lost = page.get_by_role("link", name="1 message not answered in 24 h")
        await expect(lost).to_have_attribute("href", f"#/people/local:{CLOSED}")
        row = page.get_by_role("row").filter(has_text=CLOSED)
        await expect(row.locator(".phase")).to_have_text("empty list")
        await expect(row.locator(".up")).to_have_text(re.compile(r"\d"))
        note = page.locator(".closed")
        await expect(note).to_contain_text("has cost 1 message in 24 h")
        await expect(note.get_by_role("link")).to_have_attribute("href", f"#/people/local:{CLOSED}")
        await expect(page.locator(".note")).to_contain_text("1 has an empty list")
        await page.get_by_role("button", name="empty list 1").click()
        await expect(page.get_by_role("row")).to_have_count(2)
        await console.open("people", "People")
        doors = page.get_by_role("region", name="Nobody gets in here")
        await expect(doors).to_contain_text(f"{CLOSED}.allowFrom is empty: 1 message not answered")
        await doors.get_by_role("link", name="Open its lists").click()
        await page.get_by_label("Listed people").fill("unverified:eve")
        await page.get_by_label("Which groups are heard").select_option("disabled")
        await page.get_by_role("button", name="Save", exact=True).click()
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(doors).to_have_count(0)
        writer = await say(daemon, PAIRING, "grace", "may I?")
        await console.page.reload()
        await page.get_by_role("button", name="Approve", exact=True).click()
        await page.get_by_role("dialog").get_by_role("button", name="Approve").click()
        await expect(console.text("1 person was approved or blocked")).to_be_visible()
        writer.close()


async def test_an_account_that_answers_nobody_is_seen_at_once_and_after_a_change() -> None:
    config = town()
    shut = config["channels"]["local"]["accounts"].pop(CLOSED)
    async with console_of(config) as (daemon, console):
        page = console.page
        note = page.locator(".closed")
        await expect(page.get_by_role("row").filter(has_text=TALKING)).to_be_visible()
        await expect(note).to_have_count(0)
        config["channels"]["local"]["accounts"][CLOSED] = shut
        daemon.write(config)
        os.kill(daemon.pid, signal.SIGHUP)
        row = page.get_by_role("row").filter(has_text=CLOSED)
        await expect(row.locator(".phase")).to_have_text("empty list")
        await expect(row).to_contain_text("answers nobody: a list is empty")
        await expect(note).to_contain_text("1 account answers nobody, as a list is empty")
        await page.reload()
        await expect(row.locator(".phase")).to_have_text("empty list")


async def test_a_conversation_goes_on_and_its_text_is_never_markup() -> None:
    async with console_of(town(), (TALKING, "ada", "hello there")) as (_, console):
        page = console.page
        await console.open("chat", "Chat")
        await page.get_by_role("link", name="hello there").click()
        said = "see `ls` and **this** <img src=x onerror=alert(1)>"
        await page.get_by_label("Message", exact=True).fill(said)
        await page.keyboard.press("Enter")
        answer = page.locator(".entry.assistant").last
        await expect(answer).to_contain_text("echo: see ls and this <img src=x onerror=alert(1)>")
        await expect(answer.locator("code")).to_have_text("ls")
        await expect(page.locator(".transcript img")).to_have_count(0)
        await page.get_by_label("Message", exact=True).fill("/whoami")
        await page.keyboard.press("Enter")  # answered by the gateway: no agent is waited for
        await expect(answer).to_contain_text("You: client")
        await expect(page.get_by_role("button", name="Stop")).to_have_count(0)
        await page.get_by_role("button", name="New conversation").click()
        await page.get_by_role("button", name="Begin").click()
        await expect(console.text("Nothing has been said here yet")).to_be_visible()


async def test_the_configuration_is_checked_compared_and_saved() -> None:
    async with console_of(town()) as (daemon, console):
        page = console.page
        await console.open("configuration", "Configuration")
        editor = page.get_by_label("The configuration's text")
        text = await editor.input_value()
        await editor.fill(text.replace('"echo"', '"ekko"', 1))
        await expect(console.text("It cannot be used:")).to_be_visible()
        await expect(page.get_by_role("button", name="Look at the changes")).to_be_disabled()
        await editor.fill("{\n  gateway: }")
        await expect(
            console.text("line 2: is not JSON5: expected a value, found '}'")
        ).to_be_visible()
        await editor.fill("")
        await expect(console.text("The text is empty.")).to_be_visible()
        new = text.replace('"accounts": {', '"accounts": {"harness-900": {}, ', 1)
        await editor.fill(new)
        await console.open("fleet", "Fleet")  # what was typed is there when one comes back
        await console.open("configuration", "Configuration")
        await expect(console.text("Saving it starts local:harness-900.")).to_be_visible()
        await page.get_by_role("button", name="Look at the changes").click()
        await expect(page.get_by_role("region", name="Difference")).to_contain_text("harness-900")
        await page.get_by_role("button", name="Save", exact=True).click()
        await daemon.wait_phase("local:harness-900", "running")
        await expect(console.text("As it is in the file.")).to_be_visible()


async def test_what_is_doubtful_in_a_configuration_is_shown_before_and_after_it_is_saved() -> None:
    async with console_of(town()) as (_, console):
        page = console.page
        await console.open("configuration", "Configuration")
        editor = page.get_by_label("The configuration's text")
        bot = '"telegram": {"accounts": {"x": {"botToken": "wrong", "enabled": false}}}'
        text = await editor.input_value()
        await editor.fill(text.replace('"channels": {', f'"channels": {{{bot}, ', 1))
        await expect(console.text("It can be used.")).to_be_visible()
        doubt = page.get_by_role("status").filter(has_text="Works, but look at it:")
        place = "channels.telegram.accounts.x.botToken"
        await expect(doubt.last).to_contain_text(place)
        await page.get_by_role("button", name="Look at the changes").click()
        await expect(page.get_by_role("dialog")).to_contain_text(place)
        await page.get_by_role("button", name="Save", exact=True).click()
        await expect(console.text("As it is in the file.")).to_be_visible()
        await expect(doubt).to_contain_text(place)


async def test_a_configuration_that_is_typed_outlives_a_page_and_a_change_elsewhere() -> None:
    async with console_of(town()) as (daemon, console):
        page = console.page
        await console.open("configuration", "Configuration")
        editor = page.get_by_label("The configuration's text")
        text = await editor.input_value()
        await editor.fill(text.replace('"accounts": {', '"accounts": {"harness-900": {}, ', 1))
        await console.open("fleet", "Fleet")
        client = await daemon.client()
        change = {"channels": {"local": {"accounts": {"fjord-005": None}}}}
        file = await client.call("config.get")
        await client.call("config.patch", {"raw": json.dumps(change), "baseHash": file["hash"]})
        await client.close()
        await console.open("configuration", "Configuration")
        await expect(console.text("The file has been changed elsewhere meanwhile")).to_be_visible()
        await expect(editor).to_have_value(re.compile("harness-900"))
        await page.get_by_role("button", name="Take the file's text").click()
        await page.get_by_role("dialog").get_by_role("button", name="Drop it").click()
        await expect(editor).not_to_have_value(re.compile("harness-900|fjord-005"))


async def test_a_gateway_that_is_killed_is_missed_and_nothing_of_the_messages() -> None:
    config = town()
    config["channels"]["local"]["accounts"]["grove-900"] = {"rate": 20, "journal": "on"}
    async with console_of(config) as (daemon, console):
        page = console.page
        console.expected = ["WebSocket connection to"]
        await console.open("messages?q=local:grove-900", "Messages")
        await expect(page.get_by_role("row").nth(5)).to_be_visible()
        os.kill((await daemon.status())["gateway"]["pid"], signal.SIGKILL)
        await expect(page.get_by_text("What stands below is as it was").first).to_be_visible()
        await expect(page.locator(".banner")).to_have_count(0)
        first = await numbers(console)
        newest = page.locator(".table-body .text").first
        before = await newest.text_content() or ""
        await expect(newest).not_to_have_text(before)  # messages go on coming
        # What memory holds comes before what was missed: for a moment there may be a hole.
        async with asyncio.timeout(PATIENCE):
            while not are_consecutive(seen := await numbers(console)):
                pass
        assert max(seen) > max(first)


def are_consecutive(numbers: list[int]) -> bool:
    return sorted(numbers) == list(range(min(numbers), max(numbers) + 1))


async def numbers(console: Console) -> list[int]:
    """Return the numbers that stand in the texts of the load source which are in sight."""
    found = await console.page.locator(".table-body .text").all_text_contents()
    return [int(each.split()[0]) for each in found]


async def test_the_gateway_is_restarted_from_its_page() -> None:
    async with console_of(town()) as (daemon, console):
        page = console.page
        before = (await daemon.status())["gateway"]["pid"]
        await console.open("gateway", "Gateway")
        await expect(page.get_by_role("region", name="Clients")).to_contain_text("this page")
        await page.get_by_role("button", name="Restart", exact=True).click()
        await page.get_by_role("button", name="Restart the gateway").click()
        await expect(console.text("The gateway is back, and this page with it")).to_be_visible()
        assert (await daemon.status())["gateway"]["pid"] != before


async def test_500_accounts_are_shown_and_searched_without_drawing_them_all() -> None:
    config = {"agents": {"default": "none"}, "channels": accounts(500)}
    for fields in config["channels"]["local"]["accounts"].values():
        fields["enabled"] = False
    async with console_of(config) as (_, console):
        page = console.page
        for route, title in (("fleet", "Fleet"), ("people", "People")):
            await console.open(route, title)
            table = page.get_by_role("table")
            await expect(table).to_have_attribute("aria-rowcount", "501")
            assert await table.get_by_role("row").count() < 60
            await table.evaluate("(at) => { at.scrollTop = at.scrollHeight; }")
            await expect(table.get_by_role("row").last).to_have_attribute("aria-rowindex", "501")
            await page.keyboard.press("/")
            await page.keyboard.type("juniper-499")
            await expect(table.get_by_role("row")).to_have_count(2)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE])
async def test_every_page_is_readable_in_every_theme_and_size(theme: Any, size: Any) -> None:
    people = (
        (TALKING, "ada", "hello there"),
        (CLOSED, "eve", "let me in"),
        (PAIRING, "grace", "hi"),
    )
    with ShortDirectory() as place:
        async with Daemon(place, town()) as daemon, chromium() as browser:
            writers = [await say(daemon, *each, answered=each[0] != CLOSED) for each in people]
            async with tab(browser, daemon, theme=theme, size=size) as console:
                await console.sign_in()
                found: list[str] = []
                for route, title in ROUTES:
                    await console.open(route, title)
                    await expect(console.page.get_by_text("Reading")).to_have_count(0)
                    name = f"{route.replace('/', '-').replace('?', '-').replace(':', '-')}"
                    await console.picture(f"{name}-{theme}-{size[0]}")
                    found += [f"{route}: {each}" for each in await console.violations()]
                    found += [f"{route}: cut off: {each}" for each in await console.clipped()]
                assert found == []
            for writer in writers:
                writer.close()


async def test_what_is_typed_in_chat_outlives_a_page_and_a_send() -> None:
    async with console_of(town(), (TALKING, "ada", "hello there")) as (daemon, console):
        page = console.page
        console.expected = ["WebSocket connection to"]
        await console.open("chat", "Chat")
        await page.get_by_role("link", name="hello there").click()
        field = page.get_by_label("Message", exact=True)
        await field.fill("half of it")
        chat = page.url
        await page.get_by_role("link", name="Gateway", exact=True).click()
        await expect(console.heading("Gateway")).to_be_visible()
        await page.goto(chat)
        await expect(field).to_have_value("half of it")
        os.kill((await daemon.status())["gateway"]["pid"], signal.SIGKILL)
        await expect(page.locator(".banner")).to_be_visible()
        await field.press("Enter")  # waits for the gateway, and the next one is begun
        await page.keyboard.type("the next")
        await page.get_by_role("link", name="Fleet", exact=False).first.click()
        await expect(page.locator(".banner")).to_have_count(0)
        await page.goto(chat)
        await expect(field).to_have_value(re.compile("the next$"))


async def test_a_dialog_begins_at_what_it_asks_and_keeps_what_is_typed() -> None:
    async with console_of(town()) as (_, console):
        page = console.page
        await console.open(f"people/local:{CLOSED}", "People")
        field = page.get_by_label("Listed people")
        await expect(page.get_by_label("Who is answered", exact=False)).to_be_focused()
        await field.fill("unverified:eve")
        box = await field.bounding_box()
        assert box is not None
        await page.mouse.move(box["x"] + 60, box["y"] + 12)
        await page.mouse.down()
        await page.mouse.move(box["x"] - 60, box["y"] + 12)
        await page.mouse.move(4, box["y"] + 12)
        await page.mouse.up()  # selects, beyond the edge
        await expect(field).to_have_value("unverified:eve")
        await page.mouse.click(4, box["y"])
        stay = page.get_by_role("button", name="Go on", exact=True)
        await expect(stay).to_be_focused()
        await page.keyboard.press("Escape")  # goes on, however often
        await page.keyboard.press("Escape")
        await page.keyboard.press("Escape")
        await expect(field).to_have_value("unverified:eve")
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Drop it").click()
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await console.open(f"account/local:{TALKING}", f"local:{TALKING}")
        await page.get_by_role("button", name="Restart", exact=True).focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name=f"Restart local:{TALKING}")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(console.text("Restart accepted")).to_be_visible()


async def test_the_row_that_the_keyboard_has_chosen_stays_the_same_one() -> None:
    async with console_of(town(), (TALKING, "ada", "hello there")) as (daemon, console):
        page = console.page
        chosen = page.locator(".row.selected")
        await expect(page.get_by_role("row").filter(has_text="birch-001")).to_be_visible()
        for _ in range(4):
            await page.keyboard.press("j")
        before = (await chosen.locator(".who").text_content()) or ""
        other = "amber-000" if "amber" not in before else "birch-001"
        client = await daemon.client()
        await client.call("channels.stop", {"channel": "local", "accountId": other})
        await client.close()
        held = page.get_by_role("row").filter(has_text="held").filter(has_text=other)
        await expect(held).to_be_visible()  # at the end of the list
        await expect(chosen.locator(".who")).to_have_text(before)
        await page.get_by_label(f"Select local:{other}").check()
        await page.keyboard.press("k")  # works from a box that was ticked, too
        await expect(chosen.locator(".who")).not_to_have_text(before)
        await console.open("messages", "Messages")
        await expect(page.get_by_role("row").filter(has_text="hello there").first).to_be_visible()
        await page.keyboard.press("j")
        text = (await chosen.locator(".text").text_content()) or ""
        writer = await say(daemon, "dune-003", "grace", "and me")
        await expect(
            page.get_by_role("row").filter(has_text="→ in").filter(has_text="and me")
        ).to_be_visible()
        await expect(chosen.locator(".text")).to_have_text(text)
        writer.close()


async def test_the_keyboard_has_a_place_after_a_page_an_action_and_a_dialog() -> None:
    async with console_of(town()) as (_, console):
        page = console.page
        await expect(console.heading("Fleet")).to_be_focused()  # after the sign-in
        await expect(console.heading("Fleet")).to_have_css("text-decoration-line", "none")
        await page.get_by_role("link", name="Gateway", exact=True).press("Enter")
        await expect(console.heading("Gateway")).to_be_focused()
        await expect(console.heading("Gateway")).to_have_css("text-decoration-line", "underline")
        key = f"local:{TALKING}"
        await console.open(f"account/{key}", key)
        await expect(console.heading(key)).to_be_focused()
        stop = page.get_by_role("button", name="Stop", exact=True)
        await stop.press("Enter")
        await page.keyboard.press("Escape")
        await expect(stop).to_be_focused()
        await stop.press("Enter")
        await page.keyboard.press("Enter")  # in the field of the reason
        start = page.get_by_role("button", name="Start", exact=True)
        await expect(start).to_be_visible()
        await expect(stop).to_have_count(0)  # what had the keyboard is gone
        await expect(page.locator("#content")).to_be_focused()
        await start.press("Enter")  # is not asked
        await expect(stop).to_be_visible()
        await console.open("fleet", "Fleet")
        await page.keyboard.press("j")
        marked = page.get_by_role("row").and_(page.locator("[aria-current=true]"))
        name = (await marked.locator(".who").text_content()) or "none"
        await expect(page.get_by_role("status").filter(has_text=name)).to_have_count(1)


async def test_a_key_works_from_the_moment_in_which_its_page_is_drawn() -> None:
    async with console_of(town()) as (_, console):
        await console.open("gateway", "Gateway")
        await console.page.evaluate(PRESS_WHEN_DRAWN, {"route": "fleet", "heading": "Fleet"})
        marked = console.page.get_by_role("row").and_(console.page.locator("[aria-current=true]"))
        await expect(marked).to_have_count(1)


# An observer is called right after the change of the document, before anything is painted.
PRESS_WHEN_DRAWN = """({ route, heading }) => new Promise((pressed) => {
    new MutationObserver((_, observer) => {
        if (document.querySelector("h1")?.textContent !== heading) return;
        observer.disconnect();
        document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true }));
        pressed();
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
    location.hash = `#/${route}`;
})"""


async def test_an_account_is_added_with_what_was_typed_at_another_channel() -> None:
    async with console_of(town()) as (daemon, console):
        page = console.page
        await console.open("add?channel=irc", "Add an account")
        await page.get_by_label("Account it becomes").fill("harness-901")
        await expect(console.text("does not start without server, nick.")).to_be_visible()
        await page.get_by_role("button", name="local", exact=True).click()
        await expect(page.get_by_label("Account it becomes")).to_have_value("harness-901")
        client = await daemon.client()  # makes another file of it
        change = {"channels": {"local": {"accounts": {"fjord-005": None}}}}
        file = await client.call("config.get")
        await client.call("config.patch", {"raw": json.dumps(change), "baseHash": file["hash"]})
        await client.close()
        await daemon.wait(lambda now: "local:fjord-005" not in now["accounts"])
        await expect(console.text("It is valid. Nothing else restarts.")).to_be_visible()
        await page.get_by_role("button", name="Review and add").click()
        difference = page.get_by_role("region", name="Difference")
        await expect(difference).to_contain_text("local:harness-901")
        await page.get_by_role("dialog").get_by_role("button", name="Save").click()
        await daemon.wait_phase("local:harness-901", "running")


async def test_what_a_gateway_that_begins_refuses_is_asked_again() -> None:
    async with console_of(town(), (TALKING, "ada", "hello there")) as (_, console):
        page = console.page
        await page.route_web_socket(re.compile("^ws:"), refuse_history_once)
        await page.reload()
        await console.open("chat", "Chat")
        await page.get_by_role("link", name="hello there").click()
        await expect(page.get_by_role("alert")).to_contain_text("the gateway is starting")
        await expect(page.get_by_role("log")).to_contain_text("echo: hello there")
        await expect(page.get_by_role("alert")).to_have_count(0)


def refuse_history_once(socket: WebSocketRoute) -> None:
    """Answer the first ``chat.history`` as a gateway does that has just begun."""
    server = socket.connect_to_server()
    refused: list[str] = []

    def pass_on(text: str | bytes) -> None:
        frame = json.loads(text)
        if frame.get("method") != "chat.history" or refused:
            server.send(text)
            return
        refused.append(frame["id"])
        error = {"code": "UNAVAILABLE", "message": "the gateway is starting", "retryable": True}
        answer = {"type": "res", "id": frame["id"], "ok": False, "error": error}
        socket.send(json.dumps(answer))

    socket.on_message(pass_on)


async def test_what_is_typed_in_an_account_s_form_outlives_its_tab_and_a_change() -> None:
    async with console_of(town()) as (daemon, console):
        page = console.page
        key = f"local:{TALKING}"
        await console.open(f"account/{key}/configuration", key)
        await page.get_by_label("show all fields").check()
        field = page.get_by_label("greeting")
        await expect(field).to_have_accessible_description(re.compile("everybody who connects"))
        await field.fill("good night")
        tabs = page.get_by_role("navigation", name="Of this account")
        await tabs.get_by_role("link", name="Log").click()
        await expect(page.get_by_label("greeting")).to_have_count(0)
        client = await daemon.client()  # makes another file of it
        change = {"channels": {"local": {"accounts": {"fjord-005": None}}}}
        file = await client.call("config.get")
        await client.call("config.patch", {"raw": json.dumps(change), "baseHash": file["hash"]})
        await client.close()
        await tabs.get_by_role("link", name="Configuration").click()
        await expect(page.get_by_label("greeting")).to_have_value("good night")
        async with page.expect_event("dialog") as asked:
            await page.evaluate("setTimeout(() => location.reload())")
        assert (await asked.value).type == "beforeunload"
        await (await asked.value).dismiss()
        await page.get_by_role("button", name="Review and save").click()
        await page.get_by_role("dialog").get_by_role("button", name="Save").click()
        await expect(console.text("Nothing has been changed.")).to_be_visible()
        await page.reload()
        await expect(page.get_by_label("greeting")).to_have_value("good night")
