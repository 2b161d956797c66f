"""Decides which log lines are shown, by their age and by a pattern. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ops.exits import UsageFailure
from ops.output.narration import log_line

_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhd])\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class LineFilter:
    """Selects log lines since a time whose printed form matches a regular expression.

    Raises ``UsageFailure`` for anything but an age (``5m``) or a time (ISO 8601), and for an
    invalid regular expression. ``now`` is in epoch seconds.
    """

    def __init__(self, since: str | None, pattern: str | None, now: float) -> None:
        self._since = None if since is None else since_seconds(since, now)
        try:
            self._pattern = None if pattern is None else re.compile(pattern)
        except re.error as error:
            text = f"--grep {pattern!r} is not a regular expression: {error}"
            raise UsageFailure(text) from None

    @property
    def chooses(self) -> bool:
        """Whether it may leave out any line."""
        return self._since is not None or self._pattern is not None

    def shows(self, line: Mapping[str, Any]) -> bool:
        """Return whether a line is shown; one without a time passes ``since``."""
        if self._since is not None:
            at = _seconds(line.get("ts"))
            if at is not None and at < self._since:
                return False
        return self._pattern is None or self._pattern.search(log_line(line)) is not None


def since_seconds(text: str, now: float) -> float:
    """Parse ``--since`` as epoch seconds; raises ``UsageFailure``."""
    if found := _AGE.match(text):
        return now - float(found[1]) * _SECONDS[found[2]]
    at = _seconds(text)
    if at is None:
        raise UsageFailure(
            "--since takes an age like 90s, 5m, 2h, 3d, or a time like 2026-12-24T18:00;"
            f" not {text!r}"
        )
    return at


def _seconds(at: object) -> float | None:
    """Convert the time of a log line (ISO 8601 or epoch milliseconds) to epoch seconds."""
    if isinstance(at, str):
        try:
            return datetime.fromisoformat(at).timestamp()
        except (ValueError, OverflowError):
            return None
    return at / 1000 if isinstance(at, int | float) else None
