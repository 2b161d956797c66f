from __future__ import annotations

from typing import Any

import pytest

from tests.support.agents import asked
from workers.agent import HistoryItem
from workers.agents.prompts import (
    entry_text,
    instructions_of,
    name_of,
    tokens_of,
    turn_text,
    window,
)
from workers.messages import Attachment, Chat, Sender


def items(*entries: tuple[Any, str]) -> list[HistoryItem]:
    return [HistoryItem(role, text, at) for at, (role, text) in enumerate(entries)]


TALK = items(("user", "a" * 40), ("assistant", "b" * 40), ("user", "c" * 40), ("notice", "n"))


@pytest.mark.parametrize(
    ("entries", "tokens", "left"),
    [
        (9, 1000, "abc"),
        (2, 1000, "c"),  # it does not begin with an answer
        (1, 1000, "c"),
        (0, 1000, ""),
        (9, 42, "abc"),
        (9, 41, "c"),
        (9, 13, ""),
    ],
)
def test_a_window_is_the_end_of_the_conversation(entries: int, tokens: int, left: str) -> None:
    assert "".join(item.text[0] for item in window(TALK, entries, tokens)) == left


def test_a_window_without_a_person_is_left_as_it_is() -> None:
    assert len(window(items(("assistant", "a"), ("tool", "b"), ("assistant", "")), 9, 99)) == 2


@pytest.mark.parametrize(("text", "tokens"), [("", 4), ("abcd", 5), ("abcde", 6), ("日本", 6)])
def test_tokens_are_estimated_by_bytes(text: str, tokens: int) -> None:
    assert tokens_of(text) == tokens


def test_an_entry_has_the_name_of_its_author() -> None:
    assert entry_text(HistoryItem("user", "hi", 1, "Ann")) == "Ann: hi"
    assert entry_text(HistoryItem("user", "hi", 1)) == "hi"
    assert entry_text(HistoryItem("assistant", "hi", 1, "Bot")) == "hi"
    assert entry_text(HistoryItem("tool", "12", 1, "sum")) == "[result of sum] 12"


def test_only_in_a_group_a_name_stands_before_the_words() -> None:
    ann = Sender("1", "Ann")
    assert turn_text(asked("hi", sender=ann, chat=Chat("c", "group"))) == "Ann: hi"
    assert turn_text(asked("hi", sender=ann, chat=Chat("c", "direct"))) == "hi"
    assert turn_text(asked("hi", sender=Sender("1"), chat=Chat("c", "group"))) == "hi"
    assert turn_text(asked("hi", sender=ann)) == "hi"


def test_files_are_named() -> None:
    file = Attachment("media:1", "text/csv", "a.csv")
    assert turn_text(asked("look", attachments=[file])) == "look\n[file: a.csv, text/csv]"
    assert turn_text(asked("", attachments=[file])) == "[file: a.csv, text/csv]"
    assert turn_text(asked("look", attachments=[file]), []) == "look"
    assert name_of(Attachment("", missing="gone")) == "[file that did not arrive: without a name]"


def test_the_instructions_of_the_caller_come_last() -> None:
    assert instructions_of("own", asked(instructions="more")) == "own\n\nmore"
    assert instructions_of("", asked()) == ""
