"""What a gateway prints on its standard error: kept, sorted, and told once.

A gateway says there why it does not start; between that it says much that nobody needs, again
and again. So each line is classed, one that was there before is told only now and then, and
the last 120 stay for whoever must judge an exit (SUPERVISION S18, S19). Pure.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable
from enum import StrEnum

LINES = 120
EVERY = 50  # of the repeats of a line, each so-many-th is told, for whoever debugs
TEXTS = 2000  # different lines that are counted; a gateway that prints more starts over
SLOW_STAGE = 10.0  # seconds; a start-up stage from here on is worth a warning
SLOW_TOTAL = 30.0

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_STAMP = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)?\s*")
_STAGE = re.compile(r"startup trace: .*?([\d.]+)ms total=([\d.]+)ms", re.IGNORECASE)


class Class(StrEnum):
    """How much a line matters."""

    DROP = "drop"
    DEBUG = "debug"
    INFO = "info"
    WARN = "warning"


_DROP = (
    re.compile(r"token_mismatch.*(control-ui|webchat)|(control-ui|webchat).*token_mismatch", re.I),
    re.compile(r"closed before connect.*token mismatch", re.I),
)
_DEBUG = (
    re.compile(r"closed before connect.*code=(1005|1006)", re.I),
    re.compile(r"security warning: dangerous config", re.I),
    re.compile(r"ExperimentalWarning|DeprecationWarning|--trace-(deprecation|warnings)"),
    re.compile(r"Debugger (attached|listening)|nodejs\.org/en/docs/inspector", re.I),
    re.compile(r"Config warnings:"),
    re.compile(r"NODE_OPTIONS.*--require|--require.*NODE_OPTIONS"),
)


def plain(text: str) -> str:
    """Return a line without colours."""
    return _ANSI.sub("", text)


def class_of(text: str) -> Class:
    """Say how much a line (without colours) matters."""
    if not text.strip() or any(each.search(text) for each in _DROP):
        return Class.DROP
    if any(each.search(text) for each in _DEBUG):
        return Class.DEBUG
    if found := _STAGE.search(text):
        stage, total = float(found[1]) / 1000, float(found[2]) / 1000
        return Class.WARN if stage >= SLOW_STAGE or total >= SLOW_TOTAL else Class.INFO
    return Class.WARN


class Complaints:
    """The standard error of one process. ``secrets`` are never kept and never told."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = [secret for secret in secrets if secret]
        self._ring: deque[str] = deque(maxlen=LINES)
        self._seen: Counter[str] = Counter()
        self.folded = 0  # lines not told because they had been

    @property
    def lines(self) -> list[str]:
        """The last lines, oldest first, without those that nobody needs."""
        return list(self._ring)

    @property
    def last_error(self) -> str | None:
        """The last line that is worth a warning."""
        found = (line for line in reversed(self._ring) if class_of(line) is Class.WARN)
        return next((_STAMP.sub("", line) for line in found), None)

    def hide(self, text: str) -> str:
        """Return ``text`` without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def take(self, text: str) -> tuple[Class, str, int]:
        """Take a line; return how to tell it, its text, and how often it has come.

        A repeat has the class ``DROP``, but each ``EVERY``-th, which is for debugging.
        """
        line = self.hide(plain(text).rstrip())
        kind = class_of(line)
        if kind is Class.DROP:
            return kind, line, 1
        self._ring.append(line)
        if len(self._seen) >= TEXTS:
            self._seen.clear()
        same = _STAMP.sub("", line)
        self._seen[same] += 1
        count = self._seen[same]
        if count > 1:
            self.folded += 1
            kind = Class.DROP if count % EVERY else Class.DEBUG
        return kind, line, count
