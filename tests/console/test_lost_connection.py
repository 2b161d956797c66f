"""What the console shows while no gateway answers, and where one does not answer a request."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import WebSocketRoute, expect

from tests.console.test_pages import console_of, town
from tests.support.console import TALKING, Console, needs_browser

pytestmark = [needs_browser, pytest.mark.e2e, pytest.mark.slow]

REFUSAL = {"code": "UNAVAILABLE", "message": "the supervisor is busy", "retryable": False}


class Gate:
    """What stands between the page and the gateway.

    ``refused`` are methods that are answered with an error, ``asked`` those of all requests. While
    it is ``shut``, each connection ends as soon as it begins.
    """

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.asked: list[str] = []
        self.shut = False
        self._socket: WebSocketRoute | None = None

    async def pass_on(self, socket: WebSocketRoute) -> None:
        """Connect the page with the gateway, unless it is shut."""
        if self.shut:
            await socket.close()
            return
        self._socket, server = socket, socket.connect_to_server()

        def forward(text: str | bytes) -> None:
            frame = json.loads(text)
            self.asked.append(frame["method"])
            if frame["method"] in self.refused:
                answer = {"type": "res", "id": frame["id"], "ok": False, "error": REFUSAL}
                socket.send(json.dumps(answer))
            else:
                server.send(text)

        socket.on_message(forward)

    async def drop(self) -> None:
        """End the page's connection."""
        assert self._socket is not None
        await self._socket.close()


async def gate_of(console: Console) -> Gate:
    """Put a gate before the gateway, and load the page anew."""
    gate = Gate()
    console.expected = ["WebSocket connection to"]
    await console.page.route_web_socket(re.compile("^ws:"), gate.pass_on)
    await console.page.reload()
    await expect(console.heading("Fleet")).to_be_visible()
    return gate


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


@pytest.mark.parametrize(
    ("route", "title", "method", "kept"),
    [
        (f"account/local:{TALKING}", f"local:{TALKING}", "channels.events", ".timeline li"),
        (f"account/local:{TALKING}", f"local:{TALKING}", "metrics.history", ".plots figure"),
        ("messages?view=given-up", "Messages", "deadletters.list", ".letters .table-body .row"),
        ("gateway", "Gateway", "node.pair.list", "#nodes"),
    ],
)
async def test_what_was_read_stays_where_it_cannot_be_read_again(
    route: str, title: str, method: str, kept: str
) -> None:
    async with console_of(town()) as (daemon, console):
        await daemon.wait_phase(f"local:{TALKING}", "running")
        client = await daemon.client()
        letter = {"channel": "local", "accountId": TALKING, "to": "nobody", "message": "are you?"}
        await client.call("send", letter | {"idempotencyKey": "k", "queue": True})
        await client.close()
        gate = await gate_of(console)
        page = console.page
        await console.open(route, title)
        await expect(page.locator(kept).first).to_be_visible()
        gate.refused.add(method)
        await gate.drop()
        alert = page.get_by_role("alert").filter(has_text=str(REFUSAL["message"]))
        await expect(alert).to_be_visible()
        await expect(page.locator(kept).first).to_be_visible()
        gate.refused.clear()
        await alert.get_by_role("button", name="Ask again").click()
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
