"""Builds the views of a transcript for clients, in OpenClaw's shapes. Pure.

A row is cut at ``maxChars`` of text, and a page at so many characters in all, those of calls of
tools too: then it has fewer rows, and ``hasMore`` and ``nextOffset`` say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from runtime.gateway.conversations.reply_tags import shown_answer
from runtime.gateway.journal.conversations import TranscriptEntry

CUT = "\n...(truncated)..."
MAX_CHARS = 500_000  # of one row, as OpenClaw's schema allows
MAX_PAGE = 4_000_000  # characters on one page: a frame has 25 MiB, a letter 6 bytes of JSON
NOTICE = "trunkline-notice"
MIRROR = "delivery-mirror"  # the model of what clients sent into the chat: no agent has said it
_USAGE = ("input", "output", "cacheRead", "cacheWrite", "totalTokens")

Row = dict[str, Any]


def history_row(entry: TranscriptEntry, seq: int, max_chars: int = MAX_CHARS) -> Row:
    """Return the row of an entry; ``seq`` is its position in the session, from 1."""
    text, cut = _cut(shown_text(entry), max_chars)
    about: Row = {"id": str(entry.number), "recordTimestampMs": entry.at, "seq": seq}
    if entry.run and entry.model != MIRROR:
        about["runId"] = entry.run
    if entry.sender:
        about["sender"] = {"id": entry.sender}
    if entry.attachments:
        about["attachments"] = msgspec.to_builtins(entry.attachments)
    if cut:
        about |= {"truncated": True, "reason": "display-cap"}
    return _shape(entry, text) | {"timestamp": entry.at, "__openclaw": about}


def history_page(
    entries: Sequence[TranscriptEntry],
    total: int,
    *,
    offset: int = 0,
    max_chars: int = MAX_CHARS,
) -> Row:
    """Return the fields of ``chat.history`` that come from the transcript.

    ``entries`` are in order and end ``offset`` entries before the newest of ``total``.
    """
    rows: list[Row] = []
    size = 0
    for back, entry in enumerate(reversed(entries)):
        size += shown_size(entry, max_chars)
        if rows and size > MAX_PAGE:
            break
        rows.append(history_row(entry, total - offset - back, max_chars))
    reached = offset + len(rows)
    page: Row = {
        "messages": rows[::-1],
        "hasMore": reached < total,
        "totalMessages": total,
    }
    if offset:
        page["offset"] = offset
    if reached < total:
        page["nextOffset"] = reached
    return page


def shown_size(entry: TranscriptEntry, max_chars: int = MAX_CHARS) -> int:
    """Return about how many characters the row of an entry has, with its calls of tools."""
    return min(len(entry.text), max_chars) + sum(len(str(each)) for each in entry.calls)


def preview_items(entries: Sequence[TranscriptEntry], *, limit: int, max_chars: int) -> list[Row]:
    """Return the last messages of a session for ``sessions.preview``, without tools and notices."""
    said = [(each.role, shown_text(each)) for each in entries if each.role in ("user", "assistant")]
    spoken = [(role, text) for role, text in said if text]
    shown = spoken[-limit:] if limit > 0 else []
    return [{"role": role, "text": _short(text, max_chars)} for role, text in shown]


def usage_of(given: Mapping[str, Any]) -> Row:
    """Return reported token usage in OpenClaw's shape, whatever an agent reported."""
    counts = {name: _count(given.get(name)) for name in _USAGE}
    counts["totalTokens"] = counts["totalTokens"] or counts["input"] + counts["output"]
    return {**counts, "cost": dict.fromkeys((*_USAGE[:4], "total"), 0)}


def _shape(entry: TranscriptEntry, text: str) -> Row:
    """Return the fields that are specific to the entry's role."""
    block: list[Row] = [{"type": "text", "text": text}] if text or not entry.calls else []
    block += [{"type": "toolCall", **msgspec.to_builtins(each)} for each in entry.calls]
    match entry.role:
        case "user":
            row: Row = {"role": "user", "content": text}
            return row | ({"idempotencyKey": f"{entry.run}:user"} if entry.run else {})
        case "assistant":
            mirror = entry.model == MIRROR
            known = {"idempotencyKey": entry.run} if mirror and entry.run else {}
            return known | {
                "role": "assistant",
                "content": block,
                "api": "openclaw-transcript" if mirror else "openai-completions",
                "provider": "openclaw" if mirror else "trunkline",
                "model": entry.model,
                "usage": usage_of(entry.usage),
                "stopReason": "stop",
            }
        case "tool":
            row = {"role": "toolResult", "toolName": entry.name, "content": block}
            return row | ({"toolCallId": entry.call} if entry.call else {})
        case "notice":
            return {"role": "custom", "customType": NOTICE, "content": text, "display": True}


def shown_text(entry: TranscriptEntry) -> str:
    """Return the text of an entry as people saw it."""
    return shown_answer(entry.text) or "" if entry.role == "assistant" else entry.text


def _cut(text: str, max_chars: int) -> tuple[str, bool]:
    return (text, False) if len(text) <= max_chars else (text[: max(0, max_chars)] + CUT, True)


def _short(text: str, max_chars: int) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= max_chars else plain[: max(0, max_chars - 1)] + "…"


def _count(value: Any) -> int:
    """Return a valid number of tokens, whatever an agent reports."""
    known = isinstance(value, int) and not isinstance(value, bool)
    return max(0, value) if known else 0
