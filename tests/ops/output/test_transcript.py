"""Transcripts for people and for programs."""

from __future__ import annotations

from typing import Any

import msgspec

from ops.output.text import moment
from ops.output.transcript import jsonl_of, lines_of, markdown_of, text_of, who_of
from runtime.gateway.conversations.history_views import history_page
from runtime.gateway.journal.conversations import TranscriptEntry
from workers.messages import Attachment

AT = 1_790_000_000_000
FILE = Attachment("media:1", "application/pdf", "plan.pdf")
ROWS: list[dict[str, Any]] = history_page(
    [
        TranscriptEntry("user", "hello\nthere", AT, attachments=[FILE], sender="ada", number=1),
        TranscriptEntry("tool", "09:30", AT, name="clock", number=2),
        TranscriptEntry("assistant", "It is *late*.\x1b[2J", AT, model="m", number=3),
        TranscriptEntry("notice", "cut", AT, number=4),
    ],
    4,
)["messages"]


def test_an_entry_says_whose_words_it_has() -> None:
    assert [who_of(each) for each in ROWS] == [
        "User (ada)",
        "Tool (clock)",
        "Assistant",
        "Notice",
    ]
    assert [text_of(each) for each in ROWS[1:]] == ["09:30", "It is *late*.\x1b[2J", "cut"]


def test_no_text_steers_the_terminal() -> None:
    at = moment(AT)
    assert lines_of(ROWS) == [
        f"{at}  User (ada): hello",
        "    there",
        "    [file: plan.pdf]",
        f"{at}  Tool (clock): 09:30",
        f"{at}  Assistant: It is *late*.\\x1b[2J",
        f"{at}  Notice: cut",
    ]


def test_markdown_has_a_heading_for_each_entry() -> None:
    text = markdown_of("agent:main:x", ROWS[:2])
    assert text == (
        f"# agent:main:x\n\n## User (ada), {moment(AT)}\n\nhello\nthere\n\n[file: plan.pdf]\n\n"
        f"## Tool (clock), {moment(AT)}\n\n09:30\n"
    )


def test_jsonl_keeps_everything() -> None:
    assert [msgspec.json.decode(line) for line in jsonl_of(ROWS).splitlines()] == ROWS
    assert jsonl_of([]) == ""
