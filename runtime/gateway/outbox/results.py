"""Converts messages to rows, and rows to answers. Pure.

A key stands for one content: another one under the same key is refused, however long ago the
first was sent.
"""

from __future__ import annotations

import hashlib

from ipc.errors import RemoteError
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE
from runtime.gateway.journal.outgoing import Origin, OutgoingMessage, OutgoingRow
from workers.messages import Outbound, Sent, merged

# As OpenClaw words it for ``chat.send``.
CONFLICT = (
    "This message ID was already used for different input. Check the conversation history and use"
    " a new message ID to send again."
)


def outgoing_of(
    account: str,
    message: Outbound,
    payload: bytes,
    origin: Origin,
    now: int,
    expires: int,
    edits: str = "",
) -> OutgoingMessage:
    """Return the row of a message, whose JSON text is ``payload``; times are epoch ms.

    ``edits`` is the key of the preview that it takes the place of.
    """
    row = OutgoingRow(
        key=message.key,
        id=hashlib.blake2b(f"{account} {message.key}".encode(), digest_size=6).hexdigest(),
        chat=message.to,
        digest=digest_of(payload),
        origin=origin,
        at=now,
        expires=expires,
        edits=edits,
    )
    return OutgoingMessage(row, payload)


def digest_of(payload: bytes) -> str:
    """Return the digest that detects other content under the same key."""
    return hashlib.blake2b(payload, digest_size=12).hexdigest()


def require_same(row: OutgoingRow, digest: str) -> None:
    """Raise ``RemoteError`` if a key is reused for other content."""
    if row.digest and row.digest != digest:
        details = {"reason": "chat-request-conflict"}
        raise RemoteError(INVALID_REQUEST, CONFLICT, details=details)


def sent_of(account: str, row: OutgoingRow, now: int) -> Sent:
    """Return the result of a sent message; raises ``RemoteError`` for any other."""
    if row.state == "sent" and row.sent:
        return merged(row.sent)
    raise refusal_of(account, row, now)


def refusal_of(account: str, row: OutgoingRow, now: int) -> RemoteError:
    """Return the error for the caller of a message that was not or may not have been sent."""
    details: dict[str, object] = {"outboxId": row.id}
    why = f": {row.error}" if row.error else ""
    if row.reason and row.reason not in ("busy", "failed", "not_begun", "not_yet", "unknown"):
        details["reason"] = row.reason
    if row.state == "expired":
        after = max(0, row.next - now) if row.next else None
        text = f"{account}: not sent in time, and it will not be{why}"
        return RemoteError(UNAVAILABLE, text, details=details, retryable=True, retry_after_ms=after)
    if row.state == "failed":
        return RemoteError(UNAVAILABLE, row.error or f"{account}: not sent", details=details)
    details["maybeExecuted"] = True
    return RemoteError(UNAVAILABLE, f"{account}: it may have been sent{why}", details=details)
