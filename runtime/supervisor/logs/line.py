"""Creates log lines from a child's output and from our own records."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

from ipc.nesting import MALFORMED, decode_json

LINE_BYTES = 16 * 1024  # a longer line is cut

Line = dict[str, Any]


def read_line(raw: bytes) -> Line:
    """Parse a printed line: a JSON object unchanged, anything else as ``text``, binary escaped.

    Only what can be encoded again counts as JSON: no lone surrogate, no NaN.
    """
    now = timestamp()
    text = raw.decode("utf-8", "backslashreplace").rstrip("\r")
    if text.startswith("{"):
        with contextlib.suppress(*MALFORMED):
            line: Line = {"ts": now} | decode_json(text)
            return line if isinstance(line["ts"], str) else line | {"ts": now}
    return {"ts": now, "text": text}


def timestamp() -> str:
    """Return now as ISO 8601 in UTC with milliseconds."""
    now = time.time()
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    return f"{whole}.{int(now * 1000) % 1000:03d}Z"


def encode_line(line: Line) -> bytes:
    """Return a line as JSON for the file; one that cannot be encoded is replaced by a note."""
    try:
        text = json.dumps(line, ensure_ascii=False, default=str)
    except (ValueError, TypeError, RecursionError):  # circular, odd keys, too deep
        text = json.dumps({"ts": timestamp(), "text": "a record that cannot be written as JSON"})
    return text.encode("utf-8", "replace") + b"\n"  # half a surrogate becomes a question mark
