"""What the console shows while no gateway answers, and where one does not answer a request."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.console.test_pages import console_of, town
from tests.support.console import TALKING, needs_browser
from tests.support.gate import REFUSAL, Frame, gate_of

pytestmark = [needs_browser, pytest.mark.e2e, pytest.mark.slow]


async def test_the_time_until_the_next_try_is_not_read_aloud_each_second() -> None:
    async with console_of(town()) as (_, console):
        gate = await gate_of(console)
        gate.shut = True
        await gate.drop()
        banner = console.page.locator(".banner")
        await expect(banner).to_contain_text(re.compile(r"The next try is in \d s"))
        status = banner.get_by_role("status")
        await expect(status).to_contain_text("What stands below is as it was.")
        assert "next try" not in await status.inner_text()
        assert await console.violations() == []
        await console.page.reload()  # now nothing is there yet
        await expect(console.text("The next try is in")).to_be_visible()
        status = console.page.get_by_role("status")
        await expect(status).to_have_text(re.compile(r"^No connection to 127\.0\.0\.1:\d+: "))
        assert await console.violations() == []


async def test_requests_do_not_pile_up_while_there_is_no_connection() -> None:
    async with console_of(town()) as (_, console):
        gate = await gate_of(console)
        page = console.page
        await page.clock.install()
        await console.open("gateway", "Gateway")
        await expect(page.get_by_role("region", name="Clients")).to_contain_text("this page")
        gate.shut = True
        await gate.drop()
        await expect(page.locator(".banner")).to_be_visible()
        await page.clock.run_for(29_000)  # it asks every 5 s, and a request waits for 30 s
        gate.shut = False
        gate.asked.clear()
        await page.get_by_role("button", name="Try now").click()
        await expect(page.locator(".banner")).to_have_count(0)
        await expect(page.get_by_role("region", name="Clients")).to_contain_text("this page")
        assert gate.asked.count("gateway.clients") <= 3  # with those for who came and went


ACCOUNT = (f"account/local:{TALKING}", f"local:{TALKING}")
# A page, a method that it asks, and what stands there of the answer.
READ_AGAIN = (
    ("fleet", "Fleet", "status", ".fleet .table-body .row"),
    (*ACCOUNT, "status", ".account > .now"),
    (*ACCOUNT, "channels.access", ".account > .now"),
    (*ACCOUNT, "channels.events", ".timeline li"),
    (*ACCOUNT, "metrics.history", ".plots figure"),
    (f"account/local:{TALKING}/configuration", ACCOUNT[1], "config.get", ".form"),
    ("messages", "Messages", "messages.recent", ".messages .table-body .row"),
    ("messages?view=given-up", "Messages", "deadletters.list", ".letters .table-body .row"),
    ("people", "People", "channels.access", ".access .table-body .row"),
    ("people", "People", "channels.pairing.list", "#waiting"),
    ("chat", "Chat", "sessions.list", ".talk .table-body .row"),
    ("gateway", "Gateway", "status", ".panels"),
    ("gateway", "Gateway", "gateway.clients", "#clients"),
    ("gateway", "Gateway", "device.pair.list", "#devices"),
    ("gateway", "Gateway", "node.pair.list", "#nodes"),
    ("gateway", "Gateway", "changes.list", "#changes"),
    ("configuration", "Configuration", "config.get", ".editor textarea"),
)


@pytest.mark.timeout(300)  # many pages, one after the other
async def test_what_was_read_stays_where_it_cannot_be_read_again_and_the_page_says_so() -> None:
    async with console_of(town(), (TALKING, "ada", "hello there")) as (daemon, console):
        client = await daemon.client()
        letter = {"channel": "local", "accountId": TALKING, "to": "nobody", "message": "are you?"}
        await client.call("send", letter | {"idempotencyKey": "k", "queue": True})
        await client.close()
        gate = await gate_of(console)
        page = console.page
        await page.clock.install()
        for route, title, method, kept in READ_AGAIN:
            await console.open(route, title)
            await expect(page.locator(kept).first).to_be_visible()
            await page.clock.fast_forward(4_000)  # else the page takes it for a failed try
            gate.refused.add(method)
            await gate.drop()
            alert = page.get_by_role("alert").filter(has_text=str(REFUSAL["message"]))
            await expect(alert).to_be_visible()
            await expect(page.locator(kept).first).to_be_visible()
            gate.refused.clear()
            await alert.get_by_role("button", name="Ask again").click()
            await expect(alert).to_have_count(0)


async def test_what_may_be_answered_later_is_asked_again_by_itself() -> None:
    async with console_of(town()) as (_, console):
        gate = await gate_of(console)
        for method in ("status", "events.subscribe"):
            gate.refusal["retryable"] = True
            gate.refused.add(method)
            await gate.drop()
            alert = console.page.get_by_role("alert").filter(has_text=str(REFUSAL["message"]))
            await expect(alert).to_be_visible()
            gate.refused.clear()
            await expect(alert).to_have_count(0)


async def test_what_has_happened_while_no_events_came_is_shown_once_they_do() -> None:
    async with console_of(town()) as (daemon, console):
        await daemon.wait_phase(f"local:{TALKING}", "running")
        gate = await gate_of(console)
        gate.refused.add("events.subscribe")
        await gate.drop()
        await expect(console.page.get_by_role("alert")).to_be_visible()
        client = await daemon.client()
        await client.call("channels.stop", {"channel": "local", "accountId": TALKING})
        await client.close()
        await daemon.wait_phase(f"local:{TALKING}", "stopped")
        gate.refused.clear()
        row = console.page.get_by_role("row").filter(has_text=TALKING)
        await expect(row).to_contain_text("held")


async def test_an_answer_that_ended_while_there_was_no_connection_is_not_waited_for() -> None:
    async with console_of(town(), (TALKING, "ada", "hello there")) as (_, console):
        gate = await gate_of(console)
        page = console.page
        await console.open("chat", "Chat")
        await page.get_by_role("link", name="hello there").click()
        said = page.get_by_role("log")
        await expect(said).to_contain_text("echo: hello there")
        key = (await page.locator(".conversation > .mono").text_content()) or ""
        half = {"content": [{"type": "text", "text": "half of an ans"}]}
        event = {"sessionKey": key, "runId": "r", "state": "delta", "message": half}
        gate.send({"type": "event", "event": "chat", "payload": event})
        await expect(said).to_contain_text("half of an ans")
        await expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
        await gate.drop()
        await expect(said).not_to_contain_text("half of an ans")
        await expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
        await expect(said).to_contain_text("echo: hello there")


async def test_a_page_that_cannot_be_drawn_says_so_and_leaves_the_others() -> None:
    async with console_of(town()) as (_, console):
        gate = await gate_of(console)
        console.expected.append("Cannot read properties of null")
        page = console.page
        gate.answers["changes.list"] = {"changes": [None]}
        await page.goto(f"{console.url}#/gateway")
        alert = page.get_by_role("alert")
        await expect(alert).to_contain_text("Gateway cannot be drawn: ")
        await page.get_by_role("link", name="Logs", exact=True).click()
        await expect(console.heading("Logs")).to_be_visible()
        await page.go_back()
        await expect(alert).to_be_visible()
        gate.answers.clear()
        await alert.get_by_role("button", name="Ask again").click()
        await expect(console.heading("Gateway")).to_be_visible()
        await expect(alert).to_have_count(0)


async def test_what_is_typed_for_a_new_account_outlives_a_connection() -> None:
    async with console_of(town()) as (_, console):
        gate = await gate_of(console)
        page = console.page
        await console.open("add?channel=irc", "Add an account")
        name = page.get_by_label("Account it becomes")
        await name.fill("harness-902")
        gate.refused.add("config.get")
        await gate.drop()
        await expect(page.get_by_role("alert")).to_contain_text("the supervisor is busy")
        await expect(name).to_have_value("harness-902")
        await page.get_by_role("link", name="Logs", exact=True).click()  # and another page
        await expect(console.heading("Logs")).to_be_visible()
        gate.refused.clear()
        await page.go_back()
        await expect(name).to_have_value("harness-902")


async def test_a_page_of_a_gateway_that_was_upgraded_offers_to_load_the_new_one() -> None:
    def upgrade(frame: Frame) -> None:
        payload = frame.get("payload") or {}
        if payload.get("type") == "hello-ok":
            payload["server"]["version"] = "99.0"

    async with console_of(town()) as (_, console):
        gate = await gate_of(console)
        page = console.page
        await gate.drop()  # the same version is no news
        await expect(page.locator(".banner")).to_have_count(0)
        await expect(page.get_by_role("row").filter(has_text=TALKING)).to_be_visible()
        gate.change = upgrade
        await gate.drop()
        banner = page.locator(".banner")
        await expect(banner).to_contain_text("The gateway has another version now")
        assert await console.violations() == []
        await banner.get_by_role("button", name="Load the new one").click()
        await expect(banner).to_have_count(0)
        await expect(console.heading("Fleet")).to_be_visible()
