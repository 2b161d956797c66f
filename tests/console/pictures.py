"""Takes pictures of every page of the console, for people to look at with ``checklist.md``.

    python -m tests.console.pictures --to pictures [--count 3 --count 500] [--only fleet]
                                     [--running 60] [--size 1024x800] [--theme light]

Each fleet runs for real, with something to see on every page: an account that tries again, one that
a person has stopped, an empty list that costs messages, a stranger who waits, messages that were
given up; with ``--count 0`` there is no account. Pictures are taken in both themes, wide and as on
a phone, or as the options say, and of the pages once more after the connection was lost (their
names begin with ``lost-``); what axe-core and the window's edge have to say of each is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.async_api import Browser, Error, expect

from tests.support.console import (
    CLOSED,
    PAIRING,
    PHONE,
    TALKING,
    WIDE,
    Console,
    Theme,
    chromium,
    fleet,
    tab,
)
from tests.support.daemon import ECHO, Daemon
from tests.support.gate import gate_of
from tests.support.local_people import say
from tests.support.short_directory import ShortDirectory

THEMES: tuple[Theme, ...] = ("light", "dark")
Scene = Callable[[Console], Awaitable[None]]


def page(route: str, title: str, *shown: str) -> Scene:
    """Return what opens a page and waits for some of its texts."""

    async def scene(console: Console) -> None:
        await console.open(route, title)
        await expect(console.page.get_by_text("Reading", exact=False)).to_have_count(0)
        for text in shown:
            await expect(console.text(text)).to_be_visible()

    return scene


async def way(console: Console) -> None:
    """Open what became of a message."""
    await page(f"messages?q=local:{TALKING}", "Messages", "hello there")(console)
    await console.page.get_by_role("row").filter(has_text="hello there").last.click()
    await expect(console.page.get_by_role("dialog").get_by_text("Sent", exact=True)).to_be_visible()


async def conversation(console: Console) -> None:
    """Open a conversation."""
    await page("chat", "Chat", "hello there")(console)
    await console.page.get_by_role("link", name="hello there").first.click()
    await expect(console.page.get_by_role("log")).to_contain_text("echo: hello there")


async def difference(console: Console) -> None:
    """Change the whole file, and look at what changes."""
    await page("configuration", "Configuration")(console)
    editor = console.page.get_by_label("The configuration's text")
    text = await editor.input_value()
    await editor.fill(text.replace('"accounts": {', '"accounts": {"harness-900": {}, ', 1))
    await console.page.get_by_role("button", name="Look at the changes").click()
    await expect(console.page.get_by_role("region", name="Difference")).to_be_visible()


async def keys(console: Console) -> None:
    """Open the help."""
    await page("fleet", "Fleet")(console)
    await console.page.keyboard.press("?")
    await expect(console.page.get_by_role("dialog")).to_be_visible()


async def chosen(console: Console) -> None:
    """Select accounts, and ask to stop them."""
    await page("fleet", "Fleet", "local:birch-001")(console)
    await console.page.keyboard.press("a")
    await console.page.get_by_role("button", name=re.compile(r"^Stop( \d+)?$")).click()
    await expect(console.page.get_by_role("dialog")).to_be_visible()


async def focused(console: Console) -> None:
    """Go through the fleet by the keyboard."""
    await page("fleet", "Fleet", "local:birch-001")(console)
    await console.page.keyboard.press("j")
    await console.page.keyboard.press("Tab")


async def sign_in(console: Console) -> None:
    """Open the page as a browser that is not known."""
    await console.page.goto(console.url)
    await expect(console.heading("Sign in")).to_be_visible()


async def wrong_token(console: Console) -> None:
    """Type a token that is not the gateway's."""
    await sign_in(console)
    await console.type_token("not-the-token")
    await expect(console.text("That is not this gateway's token.")).to_be_visible()


BEFORE: dict[str, Scene] = {"sign-in": sign_in, "sign-in-refused": wrong_token}
SCENES: dict[str, Scene] = {
    "fleet": page("fleet", "Fleet", "local:birch-001", "irc:harbour"),
    "fleet-empty": page("fleet?q=nothing-like-it", "Fleet", "No account matches"),
    "fleet-keyboard": focused,
    "fleet-stop": chosen,
    "keys": keys,
    "account": page(f"account/local:{TALKING}", f"local:{TALKING}", "History"),
    "account-down": page("account/irc:harbour", "irc:harbour", "History"),
    "account-log": page(f"account/local:{TALKING}/log", f"local:{TALKING}", "all levels"),
    "account-configuration": page(
        "account/irc:harbour/configuration", "irc:harbour", "Nothing has been changed."
    ),
    "account-absent": page("account/irc:none", "There is no account irc:none"),
    "add": page("add?channel=irc", "Add an account", "It needs a name."),
    "messages": page("messages", "Messages", "answered by echo"),
    "messages-way": way,
    "messages-given-up": page("messages?view=given-up", "Messages", "is not connected"),
    "people": page("people", "People", "Nobody gets in here"),
    "people-lists": page(f"people/local:{CLOSED}", "People", "Direct chats"),
    "chat": page("chat", "Chat"),
    "chat-conversation": conversation,
    "gateway": page("gateway", "Gateway", "paired"),
    "logs": page("logs", "Logs"),
    "configuration": page("configuration", "Configuration"),
    "configuration-difference": difference,
}
# Of a daemon without accounts.
EMPTY: dict[str, Scene] = {
    "fleet": page("fleet", "Fleet", "There are no accounts yet"),
    "keys": keys,
    "account-absent": page("account/irc:none", "There is no account irc:none"),
    "add": page("add?channel=irc", "Add an account", "It needs a name."),
    "messages": page("messages", "Messages", "No message has come or gone yet"),
    "messages-given-up": page("messages?view=given-up", "Messages", "Nothing was given up"),
    "people": page("people", "People", "There are no accounts yet"),
    "chat": page("chat", "Chat", "Nobody has talked to an agent yet"),
    "gateway": page("gateway", "Gateway", "paired"),
    "logs": page("logs", "Logs"),
    "configuration": page("configuration", "Configuration"),
}


class Views(NamedTuple):
    """What is looked at: the scenes whose names begin so, in which themes and sizes."""

    only: str
    themes: Sequence[Theme]
    sizes: Sequence[tuple[int, int]]

    def scenes(self, all_of_them: dict[str, Scene]) -> dict[str, Scene]:
        """Return those that are looked at."""
        return {name: each for name, each in all_of_them.items() if name.startswith(self.only)}


@asynccontextmanager
async def talking(daemon: Daemon) -> AsyncIterator[None]:
    """Have people write, a message given up, an account stopped."""
    writers = []
    for account, name, text in (
        (TALKING, "ada", "hello there"),
        (CLOSED, "eve", "let me in"),
        (PAIRING, "grace", "hi"),
    ):
        await daemon.wait_phase(f"local:{account}", "running")
        writers.append(await say(daemon, account, name, text, answered=account != CLOSED))
    client = await daemon.client()
    letter = {"channel": "local", "accountId": TALKING, "to": "nobody", "message": "are you?"}
    await client.call("send", letter | {"idempotencyKey": "k", "queue": True})
    if "local:dune-003" in (await daemon.status())["accounts"]:
        held = {"channel": "local", "accountId": "dune-003", "reason": "moves to another host"}
        await client.call("channels.stop", held)
    await client.close()
    yield
    for writer in writers:
        writer.close()


async def take(
    browser: Browser, daemon: Daemon, to: Path, views: Views, scenes: dict[str, Scene]
) -> None:
    """Take each picture in each theme and size."""
    for theme, size in itertools.product(views.themes, views.sizes):
        async with tab(browser, daemon, theme=theme, size=size) as console:
            ending = f"{theme}-{size[0]}.png"
            for name, scene in views.scenes(BEFORE).items():
                await keep(console, to / f"{name}-{ending}", scene)
            await console.page.goto("about:blank")  # another fragment alone loads nothing anew
            await console.sign_in()
            for name, scene in views.scenes(scenes).items():
                await keep(console, to / f"{name}-{ending}", scene)
            without = views.scenes({f"lost-{name}": scene for name, scene in scenes.items()})
            if not without:
                continue
            await console.open("fleet", "Fleet")
            gate = await gate_of(console)
            for name, scene in without.items():
                with contextlib.suppress(AssertionError, Error):
                    await scene(console)
                gate.shut = True
                await gate.drop()
                await keep(console, to / f"{name}-{ending}", disconnected)
                gate.shut = False
                await console.page.evaluate("dispatchEvent(new Event('online'))")
                await expect(console.page.locator(".banner", has_text="Try now")).to_have_count(0)


async def disconnected(console: Console) -> None:
    """Wait until the page says that it has no connection."""
    await expect(console.page.locator(".banner", has_text="Try now")).to_be_visible()


async def keep(console: Console, path: Path, scene: Scene) -> None:
    """Take one picture, and print what is wrong with what it shows."""
    with contextlib.suppress(AssertionError, Error):  # the picture shows what is missing
        await scene(console)
    await console.page.screenshot(path=path)
    for found in [*await console.violations(), *await console.clipped()]:
        print(f"{path.name}: {found}")
    await console.page.keyboard.press("Escape")
    await console.page.keyboard.press("Escape")


async def run(count: int, running: int, to: Path, views: Views) -> None:
    """Have a fleet of so many accounts, of which so many run, and take its pictures."""
    if not count:
        with ShortDirectory() as place:
            async with Daemon(place, ECHO) as daemon, chromium() as browser:
                await take(browser, daemon, to, views, EMPTY)
        return
    config = fleet(count)
    for fields in list(config["channels"]["local"]["accounts"].values())[running:]:
        fields["enabled"] = False
    with ShortDirectory() as place:
        async with (
            Daemon(place, config) as daemon,
            chromium() as browser,
            talking(daemon),
        ):
            await take(browser, daemon, to, views, SCENES)


def size_of(text: str) -> tuple[int, int]:
    """Return the width and the height of a window."""
    width, _, height = text.partition("x")
    return int(width), int(height)


def main() -> None:
    """Take the pictures that the options name."""
    parser = argparse.ArgumentParser(prog="python -m tests.console.pictures", description=__doc__)
    parser.add_argument("--to", type=Path, default=Path(".pictures"), help="the folder")
    parser.add_argument("--count", type=int, action="append", help="accounts; may be repeated")
    parser.add_argument("--running", type=int, default=60, help="of them, at most")
    parser.add_argument("--only", default="", help="scenes whose name begins so")
    parser.add_argument("--theme", choices=THEMES, action="append", help="one theme, not both")
    parser.add_argument("--size", type=size_of, action="append", help="window, like 1024x800")
    args = parser.parse_args()
    views = Views(args.only, args.theme or THEMES, args.size or (WIDE, PHONE))
    for count in args.count or [3, 500]:
        to = args.to / str(count)
        to.mkdir(parents=True, exist_ok=True)
        asyncio.run(run(count, args.running, to, views))


if __name__ == "__main__":
    main()
