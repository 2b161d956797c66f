"""Keeps the login prompt of an account's current incarnation. Pure.

It is kept only in memory. Its text may give access to the account, so the status shows only that
there is a prompt; the text is returned to operators who ask for it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ipc.frames.control import LoginAsked
from ipc.frames.status import LoginStatus
from ipc.frames.words import Phase
from runtime.supervisor.lifecycle import LINKING, State


class PromptShown(msgspec.Struct, frozen=True):
    """A prompt of one incarnation. ``until`` is when it expires, on the loop's clock."""

    incarnation: int
    asked: LoginAsked
    until: float | None

    @property
    def name(self) -> str:
        """The unique name of the prompt, by which it is answered."""
        return f"{self.incarnation}-{self.asked.id}"


class PendingLogin:
    """The login that an account waits for. ``answering``: an answer is being delivered."""

    def __init__(self) -> None:
        self.answering = False
        self._shown: PromptShown | None = None

    def set_prompt(self, asked: LoginAsked, incarnation: int, now: float) -> None:
        """Store a prompt in place of the previous one."""
        until = now + asked.expires if asked.expires else None
        self._shown = PromptShown(incarnation, asked, until)

    def end(self) -> None:
        """Drop the prompt, because it was answered or withdrawn."""
        self._shown = None

    def prompt(self, state: State) -> PromptShown | None:
        """Return the current prompt while the account waits for it."""
        if state.phase is not Phase.STARTING or state.cause != LINKING or self._shown is None:
            return None
        return self._shown if self._shown.incarnation == state.incarnation else None

    def status(self, state: State, now: float, epoch_ms: int) -> LoginStatus | None:
        """Return the part of the status row; ``now`` and ``epoch_ms`` are the same moment."""
        shown = self.prompt(state)
        if shown is None:
            return None
        left = None if shown.until is None else epoch_ms + round((shown.until - now) * 1000)
        return LoginStatus(prompt=shown.name, kind=shown.asked.kind, expires_at=left)

    def view(self, state: State, now: float, deadline: float | None) -> dict[str, Any]:
        """Return the progress of the login, for an operator who follows it.

        ``state`` is ``asked``, with the ``prompt``; ``linked`` once the account runs; ``ended`` if
        nothing more will happen; else ``starting``. ``mark`` changes with any of these.
        """
        shown, word = self.prompt(state), _WORDS.get(state.phase, "starting")
        found: dict[str, Any] = {"phase": state.phase.value, "cause": state.cause}
        found["reason"] = state.reason
        if shown is not None:
            word, asked = "asked", shown.asked
            found["prompt"] = {
                "id": shown.name,
                "kind": asked.kind,
                "text": asked.text,
                "hint": asked.hint,
                "secret": asked.secret,
                "expiresInMs": _left_ms(shown.until, now),
            }
            found["endsInMs"] = _left_ms(deadline, now)
        mark = f"{word}:{state.phase.value}:{shown.name if shown else state.incarnation}"
        return found | {"state": word, "mark": mark}


_WORDS = {Phase.RUNNING: "linked", Phase.FAILED: "ended", Phase.STOPPED: "ended"}


def _left_ms(until: float | None, now: float) -> int | None:
    return None if until is None else max(0, round((until - now) * 1000))
