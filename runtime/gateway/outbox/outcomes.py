"""Decides what to do with a message after a failed attempt. Pure.

What surely was not sent is tried again when its reason passes by itself, and given up where it
does not. What may have been sent is tried again only where the platform would know its key, or
where the account asks for that.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ipc.errors import IpcError, RemoteError
from runtime.gateway.journal.outgoing import GivenUp, OutgoingRow, Postponed, past_of

FIRST_BACKOFF_SECONDS = 1.0  # doubles with each attempt
LAST_BACKOFF_SECONDS = 60.0
# Under which the ends of attempts are counted.
REASONS = (
    "blocked",
    "busy",
    "expired",
    "failed",
    "forbidden",
    "invalid",
    "not_begun",
    "not_found",
    "not_yet",
    "rate_limited",
    "sent",
    "too_long",
    "unavailable",
    "unknown",
    "unsupported",
)


class AttemptFailure(msgspec.Struct, frozen=True):
    """The failure of an attempt that did not send everything.

    ``reason`` is one of ``REASONS``, ``maybe``: it may have been sent all the same. ``after``:
    not before so many seconds, for the whole ``account`` or for the chat.
    """

    text: str
    reason: str
    maybe: bool = False
    passes: bool = False
    after: float | None = None
    account: bool = False


class SendPolicy(msgspec.Struct, frozen=True):
    """The rules for messages of which it is unknown whether they were sent. They are the account's
    choice, and how long the platform knows a key (``idempotent`` seconds; 0: it does not).
    """

    ambiguous: str = "ask"
    idempotent: float = 0.0


def failure_of(error: IpcError) -> AttemptFailure:
    """Return what an error of a call to an account means for the message it concerned."""
    if not isinstance(error, RemoteError):
        return in_doubt(str(error))
    details = error.details if isinstance(error.details, Mapping) else {}
    if details.get("maybeExecuted"):
        return in_doubt(error.message)
    after = None if error.retry_after_ms is None else error.retry_after_ms / 1000
    if details.get("notBegun"):
        return AttemptFailure(error.message, "not_begun", passes=True, after=0.0)
    reason = str(details.get("reason") or ("busy" if error.retryable else "failed"))
    if details.get("notYet"):
        reason = "not_yet"
    return AttemptFailure(
        error.message,
        reason if reason in REASONS else "failed",
        passes=error.retryable,
        after=after,
        account=details.get("scope") == "account",
    )


def in_doubt(text: str) -> AttemptFailure:
    """Return the failure of a message that may have been sent."""
    return AttemptFailure(text, "unknown", maybe=True)


def decide(
    key: str,
    row: OutgoingRow,
    failure: AttemptFailure,
    policy: SendPolicy,
    now: int,
    *,
    edits: bool = False,
) -> Postponed | GivenUp:
    """Return the record of the next step of a row of the account ``key`` at ``now`` (epoch ms).

    A platform's own time is obeyed to the end; a message that cannot be tried before it expires
    is given up at once. ``edits``: it takes the place of a preview, and twice is as good as once.
    """
    wait = backoff(row.attempts) if failure.after is None else failure.after
    again = now + round(wait * 1000)
    asks_nobody, past = row.asks_nobody, past_of(row, now, failure.reason)
    if failure.maybe:
        known = 0 < policy.idempotent * 1000 >= again - row.first_attempt
        twice = policy.ambiguous == "retry" and row.origin != "preview"
        if (known or twice or edits) and again < row.expires:
            return Postponed(key, row.key, again, failure.reason, failure.text, past)
        letter = policy.ambiguous != "drop" and row.origin != "preview"
        return GivenUp(key, row.key, "unknown", failure.reason, failure.text, letter, now)
    if not failure.passes:
        return GivenUp(key, row.key, "failed", failure.reason, failure.text, not asks_nobody, now)
    if again < row.expires:
        return Postponed(key, row.key, again, failure.reason, failure.text, past)
    return GivenUp(key, row.key, "expired", failure.reason, failure.text, not asks_nobody, now)


def backoff(attempts: int) -> float:
    """Return the seconds until the next attempt if the platform has not named a time."""
    return min(FIRST_BACKOFF_SECONDS * 2.0 ** min(max(attempts - 1, 0), 16), LAST_BACKOFF_SECONDS)
