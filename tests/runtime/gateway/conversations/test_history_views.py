"""What clients see of a transcript."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.gateway.conversations.history_views import (
    CUT,
    MAX_PAGE,
    history_page,
    history_row,
    preview_items,
    shown_size,
    usage_of,
)
from runtime.gateway.journal.conversations import TranscriptEntry
from workers.agent import ToolCall
from workers.messages import Attachment

FREE = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0, "total": 0}
NONE = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0, "totalTokens": 0, "cost": FREE}


def entry(role: Any = "user", text: str = "hello", number: int = 7, **more: Any) -> TranscriptEntry:
    plain: dict[str, Any] = {"at": 1000, "run": "r1"}
    return TranscriptEntry(role, text, number=number, **(plain | more))


def test_a_message_of_a_person() -> None:
    assert history_row(entry(sender="905"), 3) == {
        "role": "user",
        "content": "hello",
        "timestamp": 1000,
        "idempotencyKey": "r1:user",
        "__openclaw": {
            "id": "7",
            "recordTimestampMs": 1000,
            "seq": 3,
            "runId": "r1",
            "sender": {"id": "905"},
        },
    }
    context = history_row(entry(run=""), 1)
    assert "idempotencyKey" not in context
    assert context["__openclaw"] == {"id": "7", "recordTimestampMs": 1000, "seq": 1}


def test_an_answer() -> None:
    usage = {"input": 100, "output": 2, "cacheRead": 1}
    assert history_row(entry("assistant", model="m", usage=usage), 4) == {
        "role": "assistant",
        "content": [{"type": "text", "text": "hello"}],
        "api": "openai-completions",
        "provider": "trunkline",
        "model": "m",
        "usage": NONE | usage | {"totalTokens": 102},
        "stopReason": "stop",
        "timestamp": 1000,
        "__openclaw": {"id": "7", "recordTimestampMs": 1000, "seq": 4, "runId": "r1"},
    }


def test_what_an_agent_writes_to_the_gateway_is_not_shown() -> None:
    for text, shown in (("NO_REPLY", ""), ("[[reply_to_current]] hi", "hi")):
        row = history_row(entry("assistant", text), 1)
        assert row["content"] == [{"type": "text", "text": shown}]
    said = [entry("assistant", "NO_REPLY"), entry("user", "NO_REPLY")]
    assert preview_items(said, limit=9, max_chars=99) == [{"role": "user", "text": "NO_REPLY"}]


def test_what_a_client_has_sent_into_the_chat() -> None:
    row = history_row(entry("assistant", model="delivery-mirror"), 1)
    assert (row["api"], row["provider"]) == ("openclaw-transcript", "openclaw")


def test_tools_and_notices() -> None:
    tool = history_row(entry("tool", name="exec"), 1)
    assert tool["role"] == "toolResult"
    assert tool["toolName"] == "exec"
    assert tool["content"] == [{"type": "text", "text": "hello"}]
    notice = history_row(entry("notice"), 1)
    assert notice["role"] == "custom"
    assert notice["customType"] == "trunkline-notice"
    assert (notice["content"], notice["display"]) == ("hello", True)


def test_files_are_named() -> None:
    files = [Attachment("media:1", name="a.png")]
    found = history_row(entry(attachments=files), 1)["__openclaw"]["attachments"]
    assert found == [{"url": "media:1", "name": "a.png"}]


@pytest.mark.parametrize(
    ("role", "limit", "text"),
    [
        ("user", 4, "hell" + CUT),
        ("user", 5, "hello"),
        ("user", 0, CUT),
        ("user", -1, CUT),
        ("assistant", 4, "hell" + CUT),
        ("tool", 1, "h" + CUT),
        ("notice", 4, "hell" + CUT),
    ],
)
def test_a_row_is_cut_and_says_so(role: str, limit: int, text: str) -> None:
    row = history_row(entry(role), 1, limit)
    content = row["content"]
    assert (content if isinstance(content, str) else content[0]["text"]) == text
    about = row["__openclaw"]
    cut = text != "hello"
    assert about.get("truncated", False) is cut
    assert about.get("reason") == ("display-cap" if cut else None)


def some(count: int, text: str = "x") -> list[TranscriptEntry]:
    return [entry(text=text, number=number) for number in range(1, count + 1)]


def places(page: dict[str, Any]) -> list[int]:
    return [row["__openclaw"]["seq"] for row in page["messages"]]


@pytest.mark.parametrize(
    ("entries", "total", "offset", "seqs", "rest"),
    [
        (some(3), 3, 0, [1, 2, 3], None),
        (some(3)[1:], 3, 0, [2, 3], 2),
        (some(3)[1:2], 3, 1, [2], 2),
        (some(3)[:1], 3, 2, [1], None),
        ([], 0, 0, [], None),
        ([], 3, 3, [], None),
    ],
)
def test_a_page_says_what_is_before_it(
    entries: list[TranscriptEntry], total: int, offset: int, seqs: list[int], rest: int | None
) -> None:
    page = history_page(entries, total, offset=offset)
    assert places(page) == seqs
    assert page["totalMessages"] == total
    assert page["hasMore"] is (rest is not None)
    assert page.get("nextOffset") == rest
    assert page.get("offset", 0) == offset


def test_a_page_is_never_too_large_and_never_empty() -> None:
    large = some(3, "x" * (MAX_PAGE // 2))
    page = history_page(large, 3, max_chars=MAX_PAGE)
    assert places(page) == [2, 3]
    assert page["nextOffset"] == 2
    assert places(history_page(large, 3, max_chars=10)) == [1, 2, 3]
    assert places(history_page(large, 3)) == [1, 2, 3]
    (row,) = history_page(some(1, "xyz"), 1, max_chars=2)["messages"]
    assert row["content"] == "xy" + CUT
    assert places(history_page(some(1, "x" * (MAX_PAGE + 1)), 1, max_chars=MAX_PAGE + 2)) == [1]


def test_calls_of_tools_take_room_on_a_page_as_texts_do() -> None:
    calls = [ToolCall(str(number), "look", {"x": "y" * 8000}) for number in range(64)]
    entries = [entry("assistant", "", number, calls=calls) for number in range(1, 21)]
    page = history_page(entries, 20)
    assert places(page) == [*range(14, 21)]
    assert page["nextOffset"] == 7
    assert shown_size(entries[0], 1) > 64 * 8000
    assert (shown_size(entry(text="hello")), shown_size(entry(text="hello"), 2)) == (5, 2)


@given(st.lists(st.integers(0, MAX_PAGE // 2), max_size=6), st.integers(1, 6))
def test_pages_one_after_the_other_are_the_whole_transcript(sizes: list[int], limit: int) -> None:
    entries = [entry(text="x" * size, number=at) for at, size in enumerate(sizes, 1)]
    total, offset, seen = len(entries), 0, list[int]()
    while True:
        end = total - offset
        shown = entries[max(0, end - limit) : end]
        page = history_page(shown, total, offset=offset, max_chars=MAX_PAGE)
        seen = places(page) + seen
        if not page["hasMore"]:
            break
        assert page["nextOffset"] > offset
        offset = page["nextOffset"]
    assert seen == list(range(1, total + 1))


def test_a_preview_has_the_last_words() -> None:
    entries = [
        entry("user", "one\n two"),
        entry("tool", "output"),
        entry("assistant", ""),
        entry("assistant", "three four"),
        entry("notice", "hm"),
    ]
    both = [{"role": "user", "text": "one two"}, {"role": "assistant", "text": "three four"}]
    assert preview_items(entries, limit=9, max_chars=20) == both
    assert preview_items(entries, limit=1, max_chars=10) == both[1:]
    assert preview_items(entries, limit=1, max_chars=9) == [
        {"role": "assistant", "text": "three fo…"}
    ]
    assert preview_items(entries, limit=0, max_chars=9) == []
    assert preview_items(entries, limit=1, max_chars=0) == [{"role": "assistant", "text": "…"}]


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        ({}, {}),
        ({"input": 3, "output": 4}, {"input": 3, "output": 4, "totalTokens": 7}),
        ({"totalTokens": 9, "input": 1}, {"totalTokens": 9, "input": 1}),
        ({"input": "3", "output": None, "cacheRead": True, "cacheWrite": 1.5}, {}),
        ({"input": -3, "other": 5}, {}),
        ({"cacheWrite": 6}, {"cacheWrite": 6}),
    ],
)
def test_usage_is_whatever_was_reported(given: dict[str, Any], counts: dict[str, int]) -> None:
    assert usage_of(given) == NONE | counts
