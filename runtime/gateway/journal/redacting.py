"""Decides what is kept of redacted messages, and limits its amount. Pure.

Of a message that was not admitted its number, ids, sender and time remain, and the reason. What
remains of one account counts against ``QUOTA_BYTES``: beyond that the oldest are emptied, so that
strangers cannot push out what others have written. An emptied frame is not read any more: the
next one names its number, as it does for repeated messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from ipc.frames.cursors import Cursor
from ipc.nesting import decode_json
from runtime.gateway.journal.erasing import KEPT
from runtime.gateway.journal.records import Part

REDACTED = 128  # flag of a stored frame; no link carries it
QUOTA_BYTES = 64 * 1024 * 1024  # of one account
MAX_ID = 512  # characters that are kept of an id

_encode = msgspec.json.Encoder().encode

Stored = tuple[int, int, Part]  # incarnation, time of arrival, frames


class Rewritten(NamedTuple):
    """Rewritten frames, and the growth of their remains in bytes."""

    flags: bytes
    payloads: list[bytes]
    grown: int


def remains_of(payload: bytes, reason: str) -> bytes:
    """Return the remains of a message: without text, attachments and names."""
    event = decode_json(payload, dict[str, Any])
    message = event.get("message") or {}
    chat, sender = message.get("chat") or {}, message.get("sender") or {}
    left = {
        "id": str(message.get("id", ""))[:MAX_ID],
        "chat": {"id": str(chat.get("id", ""))[:MAX_ID], "kind": chat.get("kind", "direct")},
        "sender": {"id": str(sender.get("id", ""))[:MAX_ID]},
        "text": "",
        "ts": message.get("ts", 0),
    }
    kept = {name: event[name] for name in KEPT if name in event}
    return _encode(kept | {"message": left, "dropped": reason})


def redacted(first: int, flags: bytes, payloads: list[bytes], drops: dict[int, str]) -> Rewritten:
    """Return frames, numbered from ``first`` on, without the contents of those in ``drops``.
    ``drops`` has the reasons by number. What was redacted before stays as it is.
    """
    marks, left, grown = bytearray(flags), list(payloads), 0
    for number, reason in drops.items():
        index = number - first
        if 0 <= index < len(left) and not marks[index] & REDACTED:
            left[index] = remains_of(left[index], reason)
            marks[index] |= REDACTED
            grown += len(left[index])
    return Rewritten(bytes(marks), left, grown)


def emptied(flags: bytes, payloads: list[bytes]) -> Rewritten:
    """Return frames without what remains of those that were redacted.

    Their flags stay: they count against nothing any more, for nothing is left of them.
    """
    left = [b"" if flag & REDACTED else each for flag, each in zip(flags, payloads, strict=True)]
    return Rewritten(flags, left, -remains_bytes(flags, payloads))


def remains_bytes(flags: bytes, payloads: list[bytes]) -> int:
    """Return the bytes of frames that count against the quota."""
    return sum(len(each) for flag, each in zip(flags, payloads, strict=True) if flag & REDACTED)


def readable(stored: Iterable[Stored], after: Cursor) -> list[Stored]:
    """Return frames, which come after a cursor, without emptied ones: the next one names these."""
    found: list[Stored] = []
    before, last = after, 0  # the newest frame that is read, and the newest emptied one behind it
    for incarnation, at, part in stored:
        if incarnation != before[0]:
            before, last = (incarnation, part.first - 1), 0
        if not last and all(part.payloads):
            found.append((incarnation, at, part))
            before = incarnation, part.last
            continue
        payloads: list[bytes] = []
        for number, payload in enumerate(part.payloads, part.first):
            if payload and last:
                payload = also_skipping(payload, before[1] + 1, last)
            if payload:
                payloads.append(payload)
                before, last = (incarnation, number), 0
            else:
                last = number
            if payloads and (not payload or number == part.last):
                first = before[1] + 1 - len(payloads)
                flags = part.flags[first - part.first :][: len(payloads)]
                found.append((incarnation, at, Part(first, flags, payloads)))
                payloads = []
    return found


def also_skipping(payload: bytes, first: int, last: int) -> bytes:
    """Return an event that names some more numbers before it as those that will never come."""
    event = decode_json(payload, dict[str, Any])
    named = [first] if first == last else [[first, last]]
    event["skips"] = [*named, *event.get("skips", ())]
    return _encode(event)
