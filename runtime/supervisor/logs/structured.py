"""Writes the structured records of our own code to a log, without secrets (structlog)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import structlog

from ipc.record_limit import limiter
from runtime.supervisor.logs.line import Line, encode_line, timestamp

SUPERVISOR = "supervisor"  # the name of our own log
SECRET_WORDS = ("token", "password", "secret", "authorization")


def configure(add: Callable[[str, Line], None], *, level: str, to_stderr: bool) -> None:
    """Send our own structured records to ``add(name, line)``, and to stderr if wanted.

    Records below ``level`` are dropped, and those of one kind beyond a rate (see
    ``ipc.record_limit``); values of fields named like secrets are hidden.
    """

    def keep(logger: Any, method: str, event: Any) -> Any:
        # A record may hold any object; what is stored must be JSON.
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
            keep,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def set_level(level: str) -> None:
    """Drop records below ``level`` from now on."""
    if structlog.is_configured():
        structlog.configure(
            **structlog.get_config()
            | {"wrapper_class": structlog.make_filtering_bound_logger(level)}
        )


def redact(logger: Any, method: str, event: Any) -> Any:
    """Hide the values of fields that are named like secrets (a structlog processor)."""
    for name in event:
        if any(word in name.lower() for word in SECRET_WORDS):
            event[name] = "***"
    return event
