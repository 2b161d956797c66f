"""Follows the login of an account: shows its prompts, and sends it a person's answers.

It also ends logins. Several commands may follow one login; the first answer counts.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ipc.errors import RemoteError
from ipc.frames.words import INVALID_REQUEST, LONGEST_ANSWER
from ops.actions.ask import ask_gateway
from ops.actions.keyboard import Keyboard
from ops.connect.account_api import AccountApi, connected_account_api
from ops.connect.selection import split
from ops.connect.target import RuntimeTarget
from ops.exits import OperatorError
from ops.output.commands import for_runtime
from ops.output.login import LoginScreen, View

STEP_SECONDS = 20.0  # of one question; the course is followed by many
MARGIN = 15.0
LOGOUT_SECONDS = 45.0  # the gateway gives the platform 30
ANSWERED = ("ask", "open")  # kinds of prompts that take an answer here


def log_in(target: RuntimeTarget, key: str, *, as_json: bool) -> None:
    """Log the account ``key`` in: start it if needed, and follow it until it runs.

    Raises ``OperatorError``, exit 1, if it ends without a login.
    """
    asyncio.run(_log_in(target, key, as_json=as_json))


def log_out(target: RuntimeTarget, key: str) -> Any:
    """Log the account ``key`` out of its platform; return what ``channels.logout`` answers."""
    channel, account = split(key)
    params = {"channel": channel, "accountId": account}
    return ask_gateway(target, "channels.logout", params, LOGOUT_SECONDS)


async def _log_in(target: RuntimeTarget, key: str, *, as_json: bool) -> None:
    screen = LoginScreen(key, as_json=as_json)
    async with connected_account_api(target) as api:
        await follow_login(api, key, screen)


async def follow_login(api: AccountApi, key: str, screen: LoginScreen) -> None:
    """Follow a login over one connection to its end; raises ``OperatorError`` if it fails.

    If cancelled (Ctrl-C) the account keeps waiting: others may follow the same login.
    """
    login = _FollowedLogin(api, key, screen)
    try:
        await login.follow()
    except asyncio.CancelledError:
        if login.waits:
            screen.show_note(
                for_runtime(f"{key} still waits; `trunkline channels stop {key}` ends that")
            )
        raise


class _FollowedLogin:
    """One login, followed over one connection. ``waits``: it waits for a person's answer."""

    def __init__(self, api: AccountApi, key: str, screen: LoginScreen) -> None:
        self.waits = False
        self._api = api
        self._key = key
        self._screen = screen
        self._keyboard = Keyboard()
        self._typing: asyncio.Task[str | None] | None = None
        self._asked = ""  # the id of the prompt that is being answered
        self._ended = False  # standard input is

    async def follow(self) -> None:
        """Follow the login to its end."""
        view = await self._poll("", start=True)
        try:
            while True:
                self._screen.show(view)
                self.waits = view["state"] == "asked"
                if view["state"] == "linked":
                    return
                if view["state"] == "ended":
                    raise OperatorError(f"{self._key} is not logged in: {_why(view)}")
                await self._prepare(view)
                view = await self._next(view)
        finally:
            await self._stop_typing()

    async def _poll(self, seen: str, *, start: bool = False) -> View:
        wait = STEP_SECONDS if seen else 0.0
        params = {"account": self._key, "seen": seen, "timeoutMs": int(wait * 1000)}
        params["start"] = start
        view: View = await self._api.client.call("channels.login", params, timeout=wait + MARGIN)
        return view

    async def _prepare(self, view: View) -> None:
        """Read from the keyboard exactly while a prompt expects typed input."""
        prompt: dict[str, Any] = view.get("prompt") or {"id": "", "kind": ""}
        wanted = prompt["kind"] in ANSWERED and not self._ended
        if self._typing is not None and (not wanted or prompt["id"] != self._asked):
            await self._stop_typing()
        if wanted and self._typing is None:
            self._asked = prompt["id"]
            line = self._keyboard.line(secret=bool(prompt["secret"]))
            self._typing = asyncio.create_task(line)

    async def _next(self, view: View) -> View:
        """Return the next view, after a change or after the outcome of an answer."""
        looking = asyncio.create_task(self._poll(view["mark"]))
        tasks: set[asyncio.Task[Any]] = {looking}
        if self._typing is not None:
            tasks.add(self._typing)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if looking.done():
                return looking.result()
            assert self._typing is not None
            typed, self._typing = self._typing.result(), None
            taken = await self._answer(typed)
            # Once it is taken the next line belongs to what is asked then.
            return await self._poll(view["mark"] if taken else "")
        finally:
            looking.cancel()
            await asyncio.wait({looking})

    async def _answer(self, typed: str | None) -> bool:
        """Send an answer to the account; return whether it was accepted."""
        if typed is None:
            self._ended = True
            self._screen.show_note(
                f"standard input has ended; {self._key} waits for another answer"
            )
            return False
        if not 0 < len(typed) <= LONGEST_ANSWER:
            self._screen.show_note(f"an answer has 1 to {LONGEST_ANSWER} characters; try again:")
            return False
        params = {"account": self._key, "prompt": self._asked, "text": typed}
        try:
            await self._api.client.call("channels.login.answer", params)
        except RemoteError as error:
            if error.code != INVALID_REQUEST and not error.retryable:
                raise
            self._screen.show_note(f"not accepted: {error.message}")
            return False
        return True

    async def _stop_typing(self) -> None:
        typing, self._typing = self._typing, None
        if typing is not None:
            typing.cancel()
            await asyncio.wait({typing})


def _why(view: View) -> str:
    return str(view.get("reason") or view.get("cause") or view["phase"])
