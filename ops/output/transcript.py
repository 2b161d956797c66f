"""Formats the transcript of a session (the entries of ``chat.history``) for people and programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ops.output.text import clean, moment

Row = Mapping[str, Any]
WHO = {"user": "User", "assistant": "Assistant", "toolResult": "Tool", "custom": "Notice"}


def text_of(row: Row) -> str:
    """Return the text of an entry."""
    content = row.get("content", "")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(each.get("text", "")) for each in parts if isinstance(each, Mapping))


def who_of(row: Row) -> str:
    """Return the display name of an entry's author."""
    role = str(row.get("role", ""))
    sender = _about(row).get("sender")
    name = sender.get("id") if isinstance(sender, Mapping) else None
    tool = row.get("toolName") if role == "toolResult" else None
    about = name or tool
    who = WHO.get(role, role)
    return f"{who} ({about})" if about else who


def lines_of(rows: Iterable[Row]) -> list[str]:
    """Format entries for a terminal: a line each, and more for further lines of a text."""
    found = []
    for row in rows:
        first, *rest = [clean(each) for each in text_of(row).split("\n")]
        found.append(f"{moment(row.get('timestamp') or 0)}  {clean(who_of(row))}: {first}")
        found += [f"    {each}" for each in rest]
        found += [f"    {clean(each)}" for each in _files(row)]
    return found


def markdown_of(key: str, rows: Iterable[Row]) -> str:
    """Return a transcript as a Markdown document, with its texts unchanged."""
    parts = [f"# {key}"]
    for row in rows:
        parts.append(f"## {who_of(row)}, {moment(row.get('timestamp') or 0)}")
        parts += [text_of(row), *_files(row)]
    return "\n\n".join(filter(None, parts)) + "\n"


def jsonl_of(rows: Iterable[Row]) -> str:
    """Return a transcript as JSON lines, one complete entry each."""
    return "".join(msgspec.json.encode(row).decode() + "\n" for row in rows)


def _files(row: Row) -> list[str]:
    files = _about(row).get("attachments")
    if not isinstance(files, list):
        return []
    return [f"[file: {each.get('name') or each.get('url') or 'without a name'}]" for each in files]


def _about(row: Row) -> Mapping[str, Any]:
    found = row.get("__openclaw")
    return found if isinstance(found, Mapping) else {}
