"""What a request asks becomes one turn: its words, what was said before, and no more than fits."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec
import pytest

from runtime.gateway.http.api_refusals import HttpRefusal
from runtime.gateway.http.openai.asked import (
    MAX_ASKED_BYTES,
    Asked,
    SaidItem,
    ToolSelection,
    check_sampling,
    file_of,
    selection_of,
)
from runtime.gateway.journal.runs import MAX_FILES_BYTES
from workers.agent import HistoryItem, ToolCall
from workers.messages import MAX_TEXT

WEATHER = {"type": "function", "function": {"name": "get_weather"}}
USER, ANSWER = SaidItem("user", "q1"), SaidItem("assistant", "a1")
CALL = SaidItem("assistant", calls=[{"id": "c", "name": "get_weather", "arguments": "{}"}])
LARGE = file_of(f"data:image/png;base64,{b64encode(bytes(MAX_FILES_BYTES // 2)).decode()}", "")
RESULT = SaidItem("tool", "sunny", "get_weather", call="c")


def heard(request: Any) -> list[tuple[str, str]]:
    """Return the history of a request."""
    return [(each["role"], each["text"]) for each in request.fields.get("history", [])]


@pytest.mark.parametrize(
    ("said", "known", "text", "before"),
    [
        ([USER], False, "q1", []),
        ([USER, ANSWER, SaidItem("user", "q2")], False, "q2", ["q1", "a1"]),
        ([USER, ANSWER, SaidItem("user", "q2")], True, "q2", []),
        ([USER, ANSWER, SaidItem("user", "b"), SaidItem("user", "q2")], True, "q2", ["b"]),
        (
            [USER, CALL, RESULT],
            False,
            "[result of get_weather] sunny",
            ["q1", ""],
        ),
        (
            [USER, CALL, RESULT],
            True,
            "[result of get_weather] sunny",
            [""],
        ),
    ],
)
def test_the_last_words_are_asked_and_a_session_is_not_told_what_it_knows(
    said: list[SaidItem], known: bool, text: str, before: list[str]
) -> None:
    request = Asked("openclaw", said).request(7, known=known, model=None)
    assert (request.text, [text for _, text in heard(request)]) == (text, before)


def test_a_call_and_its_result_before_the_last_message_keep_their_ids() -> None:
    said = [USER, CALL, RESULT, ANSWER, SaidItem("user", "and now?")]
    fields = Asked("openclaw", said).request(7, known=False, model=None).fields
    history = msgspec.convert(fields["history"], list[HistoryItem])
    assert [(each.role, each.text, each.call) for each in history] == [
        ("user", "q1", None),
        ("assistant", "", None),
        ("tool", "sunny", "c"),
        ("assistant", "a1", None),
    ]
    assert history[1].calls == [ToolCall("c", "get_weather", "{}")]


def test_results_that_are_the_last_words_keep_the_ids_of_their_calls() -> None:
    fields = Asked("openclaw", [USER, CALL, RESULT]).request(7, known=False, model=None).fields
    assert fields["results"] == [
        {"role": "tool", "text": "sunny", "at": 7, "name": "get_weather", "call": "c"}
    ]
    (called,) = msgspec.convert(fields["history"][1:], list[HistoryItem])
    assert called.calls == [ToolCall("c", "get_weather", "{}")]


def test_fields_of_the_turn_are_those_that_were_given() -> None:
    asked = Asked(
        "openclaw",
        [USER],
        instructions="be terse",
        thinking="low",
        selection=ToolSelection([WEATHER], "get_weather"),
    )
    assert asked.request(7, known=False, model="big").fields == {
        "instructions": "be terse",
        "thinking": "low",
        "model": "big",
        "tools": [WEATHER],
        "toolChoice": {"type": "function", "function": {"name": "get_weather"}},
    }
    assert Asked("openclaw", [USER]).request(7, known=False, model=None).fields == {}


def test_a_long_conversation_loses_its_beginning_and_fits() -> None:
    said = [SaidItem("user" if n % 2 else "assistant", f"{n}-" + "ü" * 50_000) for n in range(9)]
    request = Asked("openclaw", [*said, USER]).request(7, known=False, model=None)
    assert len(msgspec.json.encode(request)) <= MAX_ASKED_BYTES + 64
    assert [text[:2] for _, text in heard(request)] == ["3-", "4-", "5-", "6-", "7-", "8-"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Asked("m", [SaidItem("user", "x" * (MAX_TEXT + 1))]), "the message has 262145 characters"),
        (Asked("m", [USER], instructions="x" * MAX_ASKED_BYTES), "instructions, message, tools"),
        (Asked("m", [SaidItem("user", "x", files=[LARGE, LARGE])]), "the files have"),
    ],
)
def test_more_than_a_turn_takes_is_refused_with_its_limit(asked: Asked, words: str) -> None:
    with pytest.raises(HttpRefusal, match=words) as refused:
        asked.request(7, known=False, model=None)
    assert refused.value.status == 413
    assert "allowed: " in refused.value.message


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a.png",
        "data:image/png;base64,é",
        "data:image/png,abc",
        "data:text/html;base64,aGk=",
        "file:///etc/passwd",
        "media:x",
        7,
        None,
    ],
)
def test_only_an_image_in_the_request_itself_is_taken(url: Any) -> None:
    with pytest.raises(HttpRefusal, match="no image"):
        file_of(url, "no image", kind="image/")


def test_an_image_is_a_file_of_the_turn() -> None:
    file = file_of("data:image/png;charset=x;base64,aGk=", "", kind="image/")
    assert file.url == "data:image/png;base64,aGk="
    assert (file.mime_type, file.size_bytes) == ("image/png", 2)


@pytest.mark.parametrize(
    ("tools", "choice", "words"),
    [
        ({}, None, "tools: Invalid input: expected array, received object"),
        ([{"type": "web_search"}], None, "only tools of type function are known"),
        ([{"type": "function", "function": {}}], None, "a function has no name"),
        (None, "required", "tool_choice=required but no tools were provided"),
        ([WEATHER], "sometimes", "tool_choice is none, auto, required or a function"),
        (
            [WEATHER],
            {"type": "function", "function": {"name": "zzz"}},
            "Invalid tools/tool_choice: tool_choice requested unknown tool: zzz",
        ),
    ],
)
def test_impossible_tools_are_refused(tools: Any, choice: Any, words: str) -> None:
    with pytest.raises(HttpRefusal, match=words):
        selection_of(tools, choice)


@pytest.mark.parametrize(
    ("choice", "made"),
    [
        (None, "auto"),
        ("auto", "auto"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "get_weather"}}, "get_weather"),
    ],
)
def test_the_choice_of_a_tool(choice: Any, made: str) -> None:
    assert selection_of([WEATHER], choice) == ToolSelection([WEATHER], made)
    assert selection_of([WEATHER], "none") == ToolSelection()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"temperature": 9}, "`temperature` must be between 0 and 2."),
        ({"temperature": True}, "`temperature` must be between 0 and 2."),
        ({"max_tokens": -1}, "max_tokens: Too small: expected number to be >0"),
        ({"max_tokens": "1"}, "max_tokens: Invalid input: expected number, received string"),
    ],
)
def test_impossible_numbers_are_refused(body: dict[str, Any], words: str) -> None:
    with pytest.raises(HttpRefusal) as refused:
        check_sampling(body, ["max_tokens"])
    assert refused.value.message == words
