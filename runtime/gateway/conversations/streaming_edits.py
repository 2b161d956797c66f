"""Decides when the preview of an answer is edited while the agent still writes. Pure.

The first preview is a message of its own, which begins with a whole sentence and then grows by
edits: not too often, only by so much that an edit is worth it, and only while nothing else of the
account waits to be sent. The final text always goes out, whatever became of the previews. Times are
epoch milliseconds.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

MAX_FAILURES = 3  # edits that failed in a row: then only the final text is sent
ELLIPSIS = "…"
_SENTENCE = re.compile("[.!?:…]['\")\\]*_]*\\s|\n|[\u3002\uff01\uff1f]")

Why = Literal["first", "grown", "slow"]
WhyNot = Literal[
    "nothing new", "under way", "too soon", "too little", "no sentence", "others wait", "given up"
]


class EditRules(msgspec.Struct, frozen=True, kw_only=True):
    """The limits on how often a preview is edited.

    ``every_ms`` lies between two edits at least. An edit shows ``growth`` characters more, or a
    tenth of the text where that is longer; after ``patience`` times ``every_ms`` any number.
    ``limit`` is how much one message takes: the preview shows no more.
    """

    every_ms: int = 1000
    growth: int = 20
    patience: int = 3
    limit: int = 4000


class EditDecision(msgspec.Struct, frozen=True):
    """What to do now: show ``text``, or nothing yet if it is ``None``.

    ``at`` is when to ask again, if the text does not grow before. ``final``: it is the whole text.
    ``new``: there is no preview that could be edited.
    """

    text: str | None
    reason: Why | WhyNot | Literal["final"]
    at: int | None = None
    new: bool = False
    final: bool = False


class PreviewEdits:
    """The preview of one answer, which began at ``begun``. ``shown``: an earlier gateway has shown
    some of it.
    """

    def __init__(self, rules: EditRules, begun: int, *, shown: bool = False) -> None:
        self._rules = rules
        self._text = ""
        self._shown = "" if shown else None  # what the platform shows; None: no message yet
        self._sending: str | None = None
        self._after = begun  # the earliest time of the next edit, or of what was last shown
        self._since = begun  # when that was shown
        self._failures = 0

    def set_text(self, text: str) -> None:
        """Set the full text written so far."""
        self._text = text

    def next_edit(self, now: int, *, idle: bool) -> EditDecision:
        """Begin an edit of the preview if one is due; ``on_success`` or ``on_failure`` must follow.

        ``idle``: nothing else of the account waits to be sent.
        """
        wanted = self._cut(self._text)
        if self._failures >= MAX_FAILURES:
            return EditDecision(None, "given up")
        if self._sending is not None:
            return EditDecision(None, "under way")
        if wanted == (self._shown or ""):
            return EditDecision(None, "nothing new")
        if now < self._after:
            return EditDecision(None, "too soon", self._after)
        why = self._edit_reason(wanted, now)
        if why is None:
            return EditDecision(None, self._wait_reason(wanted), self._patient_until())
        if not idle:
            return EditDecision(None, "others wait", now + self._rules.every_ms)
        self._sending = wanted
        return EditDecision(wanted, why, new=self._shown is None)

    def on_success(self, now: int) -> None:
        """Record that the platform shows the edit that ``next_edit`` returned last."""
        self._shown, self._sending = self._sending, None
        self._since = now
        self._after = max(self._after, now + self._rules.every_ms)
        self._failures = 0

    def on_failure(
        self, now: int, retry_after_ms: int | None = None, *, counts: bool = True
    ) -> None:
        """Record that the edit failed; it is not retried before ``retry_after_ms``.

        What does not count passes by itself: others went first, say.
        """
        self._sending = None
        self._failures += counts
        wait = self._rules.every_ms if retry_after_ms is None else max(0, retry_after_ms)
        self._after = max(self._after, now + wait)

    def give_up(self) -> None:
        """Show nothing more."""
        self._sending, self._failures = None, MAX_FAILURES

    def finish(self, text: str) -> EditDecision:
        """Return the final text, which is always sent: as an edit if there is a preview.

        An edit that is under way is waited for by the caller, so that the final one is the last.
        """
        there = self._shown is not None or self._sending is not None
        return EditDecision(text, "final", new=not there, final=True)

    def _edit_reason(self, wanted: str, now: int) -> Why | None:
        """Return the reason for an edit."""
        if now >= self._patient_until():
            return "slow"
        shown = self._shown or ""
        grown = len(wanted) - len(shown) >= max(self._rules.growth, len(shown) // 10)
        if not grown and wanted.startswith(shown):
            return None
        if self._shown is None:
            return "first" if _SENTENCE.search(wanted) else None
        return "grown"

    def _wait_reason(self, wanted: str) -> WhyNot:
        long = len(wanted) >= self._rules.growth
        return "no sentence" if self._shown is None and long else "too little"

    def _patient_until(self) -> int:
        return self._since + self._rules.patience * self._rules.every_ms

    def _cut(self, text: str) -> str:
        if len(text) <= self._rules.limit:
            return text
        return text[: self._rules.limit - len(ELLIPSIS)] + ELLIPSIS
