"""Records recent failures, for ``diagnostics.stability``.

A bounded list of small records without any content of messages, lost with the process. Each is
kept as JSON text: as an object it would take four times as much.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import msgspec

from ipc.epoch import now_ms
from ipc.errors import RemoteError
from ipc.joined_records import WINDOW_MS, JoinedRecords
from ipc.nesting import decode_json

CAPACITY = 1000
REASON_LENGTH = 200  # of what an account answers, which may be of any length
NEWEST = ("failures",)  # fields that differ between repetitions: the newest value counts


class Stability:
    """The newest events; ``seq`` is the number of the last one, counted from 1.

    An event that comes again is one record, with the number and the time of the last one, how many
    ``times`` it came, and when ``first``.
    """

    def __init__(self) -> None:
        self.seq = 0
        self._events = JoinedRecords(CAPACITY, _join)

    def record(self, type: str, **fields: Any) -> int:
        """Record an event; return how many times it has come lately.

        A field of ``None`` does not apply and is left out.
        """
        self.seq += 1
        known = {name: value for name, value in fields.items() if value is not None}
        event = msgspec.json.encode({"seq": self.seq, "ts": now_ms(), "type": type} | known)
        same = ((name, value) for name, value in known.items() if name not in NEWEST)
        kind = hash((type, *same))  # as text it would take more memory than the event
        joined = self._events.add(event, kind, type)
        return 1 if joined is event else _times_of(decode_json(joined))

    def record_unsent(self, account: str, error: Exception) -> None:
        """Record that a message was not, or perhaps not, sent: only its caller gets the error."""
        text = error.message if isinstance(error, RemoteError) else str(error)
        self.record("message.unsent", account=account, reason=text[:REASON_LENGTH])

    def snapshot(self, limit: int, type: str | None, since: int) -> dict[str, Any]:
        """Return the newest ``limit`` events of a type after number ``since``, oldest first."""
        found = [
            event
            for event in map(decode_json, self._events)
            if event["seq"] > since and type in (None, event["type"])
        ]
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        answer: dict[str, Any] = {
            "generatedAt": at.replace("+00:00", "Z"),
            "capacity": CAPACITY,
            "count": len(found),
            "dropped": self._events.dropped,
            "events": found[-limit:],
            "summary": {"byType": dict(Counter(event["type"] for event in found))},
        }
        if found:
            answer |= {"firstSeq": found[0]["seq"], "lastSeq": found[-1]["seq"]}
        return answer


def is_news(times: int) -> bool:
    """Return whether an event that has come so many ``times`` is logged: ever more seldom."""
    return times & (times - 1) == 0


def _times_of(event: dict[str, Any]) -> int:
    """Return how many times an event has come."""
    times: int = event.get("times", 1)
    return times


def _join(older: bytes, newer: bytes) -> bytes | None:
    before, event = decode_json(older), decode_json(newer)
    if event["ts"] - before["ts"] > WINDOW_MS:
        return None
    event |= {"first": before.get("first", before["ts"]), "times": _times_of(before) + 1}
    return msgspec.json.encode(event)
