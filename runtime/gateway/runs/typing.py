"""Shows in a chat that the account is typing, while a run for it waits or is under way.

Its worker repeats what the platform shows for a few seconds; a message to the chat ends it.
"""

from __future__ import annotations

import asyncio
import itertools

import msgspec

from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.outbox.entries import AskAccount
from runtime.gateway.runs.live import RunUpdate
from runtime.gateway.runs.replies import UNASKED
from workers.messages import Action

PATIENCE_SECONDS = 0.4  # an answer that is there by then is not announced
NEXT_SECONDS = 2.0  # from an answer until it is shown for the next waiting run
AGAIN_SECONDS = 60.0  # the worker goes on for 120 s after it was asked for last
CALL_SECONDS = 10.0
TYPING = "typing"

_encode = msgspec.json.Encoder().encode

Place = tuple[str, str, str | None]  # account, chat, thread


class _Sign:
    """The typing sign of one chat: whether it is shown, and for which runs."""

    __slots__ = ("runs", "shown", "timer")

    def __init__(self) -> None:
        self.runs: set[str] = set()
        self.shown = False
        self.timer: asyncio.TimerHandle | None = None


class TypingSigns:
    """The typing signs of all chats. ``ask`` calls an account without a task."""

    def __init__(self, accounts: Accounts, ask: AskAccount) -> None:
        self._accounts = accounts
        self._ask = ask
        self._signs: dict[Place, _Sign] = {}
        self._numbers = itertools.count(1)
        self._loop = asyncio.get_running_loop()

    def on_update(self, update: RunUpdate) -> None:
        """Show or remove the sign according to an update of a run."""
        target = update.run.reply
        if target is None or update.run.origin.client in UNASKED:
            return  # no person waits for it
        if update.step not in ("queued", "ended", "merged"):
            return
        place = target.account, target.to, target.thread
        if update.step == "queued":
            self._begin(place, update.run.id)
        else:
            self._end(place, update.run.id, silent=not update.answered)

    def close(self) -> None:
        """Stop all signs."""
        for sign in self._signs.values():
            if sign.timer is not None:
                sign.timer.cancel()
        self._signs.clear()

    def _begin(self, place: Place, run: str) -> None:
        channel = self._accounts.channels.get(place[0].partition(":")[0])
        if channel is None or TYPING not in channel.actions:
            return
        sign = self._signs.setdefault(place, _Sign())
        sign.runs.add(run)
        if sign.timer is None:
            sign.timer = self._loop.call_later(PATIENCE_SECONDS, self._show, place, sign)

    def _end(self, place: Place, run: str, *, silent: bool) -> None:
        sign = self._signs.get(place)
        if sign is None:
            return
        sign.runs.discard(run)
        if sign.runs and not silent and sign.timer is not None:  # the answer ends it for all
            sign.timer.cancel()
            sign.timer = self._loop.call_later(NEXT_SECONDS, self._show, place, sign)
        if sign.runs:
            return
        if sign.timer is not None:
            sign.timer.cancel()
        del self._signs[place]
        if sign.shown and silent:
            self._send_action(place, remove=True)

    def _show(self, place: Place, sign: _Sign) -> None:
        sign.shown = True
        sign.timer = self._loop.call_later(AGAIN_SECONDS, self._show, place, sign)
        self._send_action(place)

    def _send_action(self, place: Place, *, remove: bool = False) -> None:
        key, chat, thread = place
        name = f"typing:{next(self._numbers)}"
        action = Action(TYPING, name, chat=chat, thread=thread, remove=remove)
        self._ask(key, "action", _encode(action), CALL_SECONDS, _Unheard())


class _Unheard:
    """Receives, in the place of a future, an answer that nothing depends on."""

    def done(self) -> bool:
        """Return false: the result is still wanted."""
        return False

    def set_result(self, result: bytes) -> None:
        """Ignore the account's answer."""

    def set_exception(self, exception: Exception) -> None:
        """Ignore the error: the worker has logged it."""
