"""Classifies the stderr lines of a gateway, and keeps the last ones. Pure.

A gateway prints there why it does not start, among many useless and repeated lines. So each line
gets a level, a repeated one is logged only now and then, and the last 120 are kept to classify an
exit.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable
from enum import StrEnum

from runtime.supervisor.logs.line import Line

LINES = 120
EVERY = 50  # of the repeats of a line, each so-many-th is logged, for debugging
TEXTS = 2000  # different lines that are counted; a gateway that prints more starts over
SLOW_STAGE = 10.0  # seconds; a start-up stage from here on is worth a warning
SLOW_TOTAL = 30.0

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_STAMP = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)?\s*")
_NUMBER = r"(?<!\d)(\d+(?:\.\d+)?)"
# Here and below only the first of several equal words counts: to look for the rest behind each of
# them would take the square of a line's length, and a client's words may be in it.
_STAGE = re.compile(rf"^(?>.*?startup trace: ).*?{_NUMBER}ms total={_NUMBER}ms", re.IGNORECASE)


class Level(StrEnum):
    """The log level of a line; ``DROP``: it is not logged."""

    DROP = "drop"
    DEBUG = "debug"
    INFO = "info"
    WARN = "warning"


_DROP = (
    re.compile(r"^(?=.*token_mismatch).*(control-ui|webchat)", re.I),
    re.compile(r"^(?>.*?closed before connect).*token mismatch", re.I),
)
_DEBUG = (
    re.compile(r"^(?>.*?closed before connect).*code=(1005|1006)", re.I),
    re.compile(r"security warning: dangerous config", re.I),
    re.compile(r"ExperimentalWarning|DeprecationWarning|--trace-(deprecation|warnings)"),
    re.compile(r"Debugger (attached|listening)|nodejs\.org/en/docs/inspector", re.I),
    re.compile(r"Config warnings:"),
    re.compile(r"^(?=.*NODE_OPTIONS).*--require"),
)


def plain(text: str) -> str:
    """Return a line without terminal escape sequences."""
    return _ANSI.sub("", text)


def level_of(text: str) -> Level:
    """Return the level of a line, which has no escape sequences."""
    if not text.strip() or any(each.search(text) for each in _DROP):
        return Level.DROP
    if any(each.search(text) for each in _DEBUG):
        return Level.DEBUG
    if found := _STAGE.search(text):
        stage, total = float(found[1]) / 1000, float(found[2]) / 1000
        return Level.WARN if stage >= SLOW_STAGE or total >= SLOW_TOTAL else Level.INFO
    return Level.WARN


class StderrRing:
    """The last stderr lines of one process, with ``secrets`` redacted."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = [secret for secret in secrets if secret]
        self._ring: deque[str] = deque(maxlen=LINES)
        self._seen: Counter[str] = Counter()

    @property
    def lines(self) -> list[str]:
        """The last lines, oldest first, without those of level ``DROP``."""
        return list(self._ring)

    @property
    def last_error(self) -> str | None:
        """The last line that is worth a warning."""
        found = (line for line in reversed(self._ring) if level_of(line) is Level.WARN)
        return next((_STAMP.sub("", line) for line in found), None)

    def hide(self, text: str) -> str:
        """Return ``text`` with the secrets redacted."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def add(self, text: str) -> tuple[Level, str, int]:
        """Add a line; return its level, its text, and how often it has occurred.

        A repeated line has the level ``DROP``, except every ``EVERY``-th, which is logged for
        debugging.
        """
        line = self.hide(plain(text).rstrip())
        kind = level_of(line)
        if kind is Level.DROP:
            return kind, line, 1
        self._ring.append(line)
        if len(self._seen) >= TEXTS:
            self._seen.clear()
        same = _STAMP.sub("", line)
        self._seen[same] += 1
        count = self._seen[same]
        if count > 1:
            kind = Level.DROP if count % EVERY else Level.DEBUG
        return kind, line, count


class StderrFilter:
    """Filters the lines of a gateway for its log: redacts secrets, sets levels, folds repeats."""

    def __init__(self, ring: StderrRing) -> None:
        self._ring = ring

    def __call__(self, line: Line) -> Line | None:
        """Return the line to log; ``None`` if it is dropped."""
        text = line.get("text")
        if not isinstance(text, str):  # a structured record of ours
            return line
        if line.get("stream") != "stderr":
            return line | {"text": self._ring.hide(text)}
        level, text, count = self._ring.add(text)
        if level is Level.DROP:
            return None
        more = {"repeats": count} if count > 1 else {}
        return line | {"text": text, "level": level.value} | more
