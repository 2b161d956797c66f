"""Logs to stderr, one line per record, with the account's secrets replaced.

The supervisor captures stdout and stderr line by line. A platform's SDK may log URLs and
headers that hold secrets, so every record of ``logging`` and of the plugin's ``log`` has the
account's secret values replaced before it leaves the process.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, cast

import structlog

HIDDEN = "***"
SHORTEST = 4  # characters; replacing shorter ones would make every line unreadable


class Redaction:
    """Replaces the account's secret values in text."""

    def __init__(self) -> None:
        self._values: list[str] = []

    def add(self, config: Any) -> None:
        """Register every string in ``config`` (a value, list or mapping) as a secret."""
        match config:
            case str() if len(config) >= SHORTEST and config not in self._values:
                self._values.append(config)
                self._values.sort(key=len, reverse=True)  # one may contain another
            case dict():
                for value in config.values():
                    self.add(value)
            case list():
                for value in config:
                    self.add(value)

    def __call__(self, text: str) -> str:
        """Return ``text`` with every secret replaced by ``***``."""
        for value in self._values:
            text = text.replace(value, HIDDEN)
        return text


class _StderrHandler(logging.Handler):
    """Prints one line per record on the present ``sys.stderr``."""

    def __init__(self, redact: Redaction) -> None:
        super().__init__(logging.INFO)
        self._redact = redact
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - a library's bad log call must not hurt the account
            line = f"{record.levelname} {record.name}: {record.msg!r} (bad log arguments)"
        _print(self._redact(line))


@contextmanager
def log_to_stderr(redact: Redaction) -> Iterator[structlog.typing.FilteringBoundLogger]:
    """Send the records of ``logging`` to stderr within the block; yield the account's logger."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    handler, root = _StderrHandler(redact), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield _logger(redact)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def _logger(redact: Redaction) -> structlog.typing.FilteringBoundLogger:
    def line(_: Any, level: str, record: MutableMapping[str, Any]) -> str:
        error = record.pop("exception", "")
        words = [level.upper(), str(record.pop("event", ""))]
        words += [f"{name}={value!r}" for name, value in record.items()]
        return redact(" ".join(words) + (f"\n{error}" if error else ""))

    logger = structlog.wrap_logger(
        _StderrPrinter(),
        processors=[structlog.processors.format_exc_info, line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return cast(structlog.typing.FilteringBoundLogger, logger)


def _print(text: str) -> None:
    """Print on the current ``sys.stderr``; ignore a failure."""
    with contextlib.suppress(OSError, ValueError):  # closed by a plugin, or its reader is gone
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - stderr is the log


class _StderrPrinter:
    """Prints on the present ``sys.stderr``, so that a redirection is followed."""

    def msg(self, text: str) -> None:
        _print(text)

    debug = info = warning = warn = error = critical = exception = fatal = log = msg
