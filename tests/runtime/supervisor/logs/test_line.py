"""Whatever is printed or recorded becomes a line that can be read again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from runtime.supervisor.logs.line import Line, read_line
from runtime.supervisor.logs.store import LogStore
from tests.support.printing import KEY, on_disk, printing


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        (b"\xff\xfe\x00binary", "\\xff\\xfe\x00binary"),
        ("жизнь".encode(), "жизнь"),
        (b"", ""),
        (b"{not json", "{not json"),
        (b'{"a":' * 3000, '{"a":' * 3000),
        (b"{" + b"9" * 6000, "{" + "9" * 6000),
    ],
)
async def test_whatever_is_printed_becomes_a_line_that_can_be_read_again(
    store: LogStore, printed: bytes, text: str
) -> None:
    async with printing(store) as child:
        os.write(child.out, printed + b"\nafter\n")
        await child.until(lambda: len(child.lines) == 2)
    assert [line["text"] for line in on_disk(store)] == [text, "after"]


async def test_half_a_surrogate_does_not_spoil_the_log_of_others(store: LogStore) -> None:
    async with printing(store) as child:
        os.write(child.out, b'{"event": "\\ud800"}\nafter\n')
        await child.until(lambda: len(child.lines) == 2)
        store.add("irc:other", {"text": "mine"})
    assert [line.get("text") for line in on_disk(store)] == ['{"event": "\\ud800"}', "after"]
    assert on_disk(store, "irc:other") == [{"text": "mine"}]


async def test_structured_records_keep_their_fields_but_not_another_s_name(
    store: LogStore,
) -> None:
    async with printing(store) as child:
        os.write(child.out, b'{"event": "joined", "account": "irc:other", "ts": "t"}\n')
        await child.until(lambda: len(child.lines) == 1)
    (line,) = child.lines
    assert (line["event"], line["account"], line["ts"]) == ("joined", KEY, "t")


def test_a_line_is_read_as_it_is_when_it_is_an_object() -> None:
    line: dict[str, Any] = read_line(b'{"event": "x", "n": 1}')
    assert (line["event"], line["n"]) == ("x", 1)
    assert read_line(b"[1]")["text"] == "[1]"


async def test_a_record_without_json_does_not_spoil_the_log_of_others(store: LogStore) -> None:
    store.add(KEY, {"text": "a", "path": Path("/x")})
    circle: Line = {"text": "b"}
    circle["self"] = circle
    store.add(KEY, circle)
    store.add("irc:other", {"text": "mine"})
    assert [line["text"] for line in on_disk(store)] == [
        "a",
        "a record that cannot be written as JSON",
    ]
    assert on_disk(store)[0]["path"] == "/x"
    assert on_disk(store, "irc:other") == [{"text": "mine"}]
