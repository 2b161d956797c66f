"""Writes the structured records of our own code (structlog) to a log, with secrets redacted."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any, TextIO, cast

import structlog

from ipc.record_limit import limiter
from runtime.supervisor.logs.line import Line, encode_line, timestamp

SUPERVISOR = "supervisor"  # the name of our own log
SECRET_WORDS = ("token", "password", "secret", "authorization")


def configure(add: Callable[[str, Line], None], *, level: str, to_stderr: bool) -> None:
    """Send our own structured records to ``add(name, line)``, and to stderr if wanted.

    Neither raises to the caller: a record that cannot be kept or shown is lost, because the daemon
    may outlive its terminal. Records below ``level`` are dropped, and so are those of one kind
    beyond a rate (see ``ipc.record_limit``); values of fields named like secrets are redacted.
    """

    def store_line(logger: Any, method: str, event: Any) -> Any:
        # A record may hold any object; what is stored must be JSON.
        with contextlib.suppress(Exception):
            line = json.loads(encode_line({"ts": timestamp(), "account": SUPERVISOR, **event}))
            add(SUPERVISOR, line)
        if not to_stderr:
            raise structlog.DropEvent
        return event

    structlog.configure(
        processors=[
            limiter(structlog.DropEvent),  # first: what is dropped costs nothing more
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            redact,
            store_line,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            _rendered(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, LossyStream(sys.stderr))),
        cache_logger_on_first_use=False,
    )


class LossyStream:
    """A text stream whose writes never fail: text that cannot be written is lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write ``text`` if that is possible; return its length."""
        with contextlib.suppress(OSError, ValueError):  # gone, full, or closed
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered if that is possible."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def _rendered(render: Callable[[Any, str, Any], str]) -> Callable[[Any, str, Any], str]:
    """Return ``render`` as a processor that drops records that it cannot render."""

    def processor(logger: Any, method: str, event: Any) -> str:
        try:
            return render(logger, method, event)
        except Exception:  # noqa: BLE001 - a record may hold any object, with any __repr__
            raise structlog.DropEvent from None

    return processor


def set_level(level: str) -> None:
    """Drop records below ``level`` from now on."""
    if structlog.is_configured():
        structlog.configure(
            **structlog.get_config()
            | {"wrapper_class": structlog.make_filtering_bound_logger(level)}
        )


def redact(logger: Any, method: str, event: Any) -> Any:
    """Redact the values of fields that are named like secrets (a structlog processor)."""
    for name in event:
        if any(word in name.lower() for word in SECRET_WORDS):
            event[name] = "***"
    return event
