"""Builds the errors of the OpenAI API, also those of runs without an answer. Pure.

The shapes and, where OpenClaw has one, the words are its own. The client libraries of the API ask
again by themselves after 408, 409, 429 and 5xx, so an answer that would be the same again, or whose
work may be done already, says ``x-should-retry: false``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ipc.errors import RemoteError
from ipc.frames.words import INVALID_REQUEST
from runtime.gateway.conversations import run_answers
from runtime.gateway.journal.runs import Run

INVALID, API, RATE = "invalid_request_error", "api_error", "rate_limit_error"
UNAUTHORIZED = {"error": {"message": "Unauthorized", "type": "unauthorized"}}
ABORTED = "The run was aborted."
NO_RETRY = {"x-should-retry": "false"}
RETRY_SECONDS = 1  # after which a gateway that is starting, or busy, may be asked again
RATE_SECONDS = 30  # the same for an agent whose provider refuses more
# By the kind of an error: the status and the type of the answer, and whether asking again helps.
FAILURES: dict[str, tuple[int, str, bool]] = {
    "transient": (503, API, True),
    "unavailable": (503, API, True),
    "rate_limited": (429, RATE, True),
    "refused": (400, INVALID, False),
    "too_large": (400, INVALID, False),
    "timeout": (504, API, False),
    "expired": (504, API, False),
}
FAILED = (502, API, False)  # misconfigured, not logged in, died, failed


class HttpRefusal(Exception):
    """An error answer of the API: its status, text, type, headers and ``details``, if any."""

    def __init__(
        self,
        status: int,
        message: str,
        type: str = INVALID,
        headers: Mapping[str, str] | None = None,
        details: Any = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.headers = dict(headers or {})
        self.details = details

    @property
    def body(self) -> dict[str, Any]:
        """The body of the answer."""
        return error_body(self.message, self.type)


def error_body(message: str, type: str) -> dict[str, Any]:
    """Return the body of an error."""
    return {"error": {"message": message, "type": type}}


def too_large(text: str) -> HttpRefusal:
    """Return the refusal of a request that is too large; ``text`` names the part and the limit."""
    return HttpRefusal(413, f"Payload too large: {text}")


def busy(text: str, seconds: int = RETRY_SECONDS) -> HttpRefusal:
    """Return the refusal of a request that may be retried after some seconds."""
    return HttpRefusal(503, text, API, {"Retry-After": str(seconds)})


def refusal_of(error: RemoteError) -> HttpRefusal:
    """Return the HTTP refusal for an error of a gateway method."""
    if error.code == INVALID_REQUEST:
        return HttpRefusal(400, error.message)
    if error.retryable:
        seconds = math.ceil((error.retry_after_ms or 0) / 1000)
        return busy(error.message, max(RETRY_SECONDS, seconds))
    details = error.details if isinstance(error.details, Mapping) else {}
    # What may have been carried out already fails as a turn does whose agent has died.
    status = 502 if details.get("maybeExecuted") else 503
    return HttpRefusal(status, error.message, API, NO_RETRY)


def failure_of(run: Run) -> HttpRefusal | None:
    """Return the refusal for a run without an answer; ``None`` if it has one."""
    if run.state == "aborted":
        return HttpRefusal(400, ABORTED, API)
    if (failure := run_answers.failure_of(run)) is None:
        return None
    kind = run.state if run.state in ("timeout", "expired") else run.error
    status, word, again = FAILURES.get(kind, FAILED)
    text = failure.text
    if status == 429:
        return HttpRefusal(status, text, word, {"Retry-After": str(RATE_SECONDS)})
    if status < 500:
        return HttpRefusal(status, text, word)
    more = {"Retry-After": str(RETRY_SECONDS)} if again else NO_RETRY
    return HttpRefusal(status, text, word, more)
