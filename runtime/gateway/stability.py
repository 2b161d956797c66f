"""Records recent failures, for ``diagnostics.stability``.

A bounded ring of small records without any content of messages, lost with the process. Each is
kept as JSON text: as an object it would take four times as much.
"""

from __future__ import annotations

from collections import Counter, deque
from datetime import UTC, datetime
from typing import Any

import msgspec

from ipc.epoch import now_ms
from ipc.errors import RemoteError
from ipc.nesting import decode_json

CAPACITY = 1000
REASON_LENGTH = 200  # of what an account answers, which may be of any length


class Stability:
    """The newest events; ``seq`` is the number of the last one, counted from 1."""

    def __init__(self) -> None:
        self.seq = 0
        self._events: deque[bytes] = deque(maxlen=CAPACITY)
        self._newest: dict[str, Any] = {}

    def record(self, type: str, **fields: Any) -> None:
        """Record an event; a field of ``None`` does not apply and is left out."""
        self.seq += 1
        event = {"seq": self.seq, "ts": now_ms(), "type": type}
        event |= {name: value for name, value in fields.items() if value is not None}
        self._newest = event
        self._events.append(msgspec.json.encode(event))

    def record_repeated(self, type: str, **fields: Any) -> None:
        """Record an event that may come many times a second.

        While it is the newest one it is one record, with ``times`` and the time of the ``first``,
        so that it does not push all others out.
        """
        newest = self._newest
        known = {"type": type} | fields
        if known.items() <= newest.items():
            first, times = newest.get("first", newest["ts"]), newest.get("times", 1) + 1
            newest |= {"ts": now_ms(), "first": first, "times": times}
            self._events[-1] = msgspec.json.encode(newest)
        else:
            self.record(type, **fields)

    def record_unsent(self, account: str, error: Exception) -> None:
        """Record that a message was not, or perhaps not, sent: only its caller gets the error."""
        text = error.message if isinstance(error, RemoteError) else str(error)
        self.record_repeated("message.unsent", account=account, reason=text[:REASON_LENGTH])

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
            "dropped": self.seq - len(self._events),
            "events": found[-limit:],
            "summary": {"byType": dict(Counter(event["type"] for event in found))},
        }
        if found:
            answer |= {"firstSeq": found[0]["seq"], "lastSeq": found[-1]["seq"]}
        return answer
