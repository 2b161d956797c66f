"""What an agent says to the gateway inside its answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.gateway.conversations.reply_tags import AgentReply, read_reply, shown_so_far


def read(text: str, **more: Any) -> AgentReply:
    plain: dict[str, Any] = {"current": "m1", "group": False, "silent_groups": False}
    return read_reply(text, **(plain | more))


TAGGED = [
    ("hello", "hello", None),
    ("[[reply_to_current]] hello", "hello", "m1"),
    ("  [[ reply_to_current ]]\nhello", "hello", "m1"),
    ("[[reply_to:7]]hello", "hello", "7"),
    ("[[reply_to: a:b/c d ]]hello", "hello", "a:b/c d"),
    ("[[reply_to_current]][[reply_to:7]] hello", "hello", "m1"),
    ("[[reply_to:7]] [[reply_to_current]] hello", "hello", "7"),
    ("[[reply_to:" + "i" * 512 + "]]x", "x", "i" * 512),
    ("[[reply_to:" + "i" * 513 + "]]x", "[[reply_to:" + "i" * 513 + "]]x", None),
    ("[[reply_to:]] x", "[[reply_to:]] x", None),
    ("[[reply_to:a\nb]] x", "[[reply_to:a\nb]] x", None),
    ("[[reply_to:[x]]] x", "[[reply_to:[x]]] x", None),
    ("[[Reply_To_Current]] x", "[[Reply_To_Current]] x", None),
    ("[[other]] x", "[[other]] x", None),
    ("hello [[reply_to_current]]", "hello [[reply_to_current]]", None),
    ("[reply_to_current] x", "[reply_to_current] x", None),
    ("a\n\nb ", "a\n\nb", None),
]


@pytest.mark.parametrize(("text", "body", "reply_to"), TAGGED)
def test_a_tag_at_the_beginning_makes_a_reply(text: str, body: str, reply_to: str | None) -> None:
    assert read(text) == AgentReply("answer", body, "it is an answer", reply_to)


def test_a_reply_to_no_message_is_none() -> None:
    assert read("[[reply_to_current]] x", current=None).reply_to is None
    assert read("[[reply_to:7]] x", current=None).reply_to == "7"


def test_sound_may_be_a_voice_message() -> None:
    found = read("[[audio_as_voice]] [[reply_to_current]]", files=True)
    assert (found.kind, found.text, found.voice, found.reply_to) == ("answer", "", True, "m1")
    assert not read("[[reply_to_current]] x").voice


SILENT = [
    "NO_REPLY",
    " NO_REPLY\n",
    "**NO_REPLY**",
    "`NO_REPLY`",
    '"NO_REPLY".',
    "NO_REPLY\nNO_REPLY",
]


@pytest.mark.parametrize("text", [*SILENT, "[[reply_to_current]] NO_REPLY"])
def test_silence_is_allowed_in_groups_alone_and_only_where_it_is_configured(text: str) -> None:
    found = read(text, group=True, silent_groups=True)
    assert (found.kind, found.text) == ("silent", "")
    assert found.reason == "the agent keeps silent, and may in groups"
    refused = read(text, group=True)
    assert (refused.kind, refused.text) == ("empty", "")
    assert refused.reason.endswith("session.silentReply.group is disallow")
    for allowed in (False, True):
        direct = read(text, silent_groups=allowed)
        assert direct.kind == "empty"
        assert direct.reason.endswith("it is a direct chat")
    with_file = read(text, group=True, silent_groups=True, files=True)
    assert (with_file.kind, with_file.text) == ("answer", "")


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("hello\nNO_REPLY", "hello"),
        ("NO_REPLY\n\nhello", "hello"),
        ("NO_REPLY\nhello\n NO_REPLY ", "hello"),
    ],
)
def test_the_word_does_not_get_into_an_answer(text: str, body: str) -> None:
    found = read(text)
    assert (found.kind, found.text, found.reason) == ("answer", body, "NO_REPLY was left out")


@pytest.mark.parametrize(
    "text",
    ["say NO_REPLY", "NO_REPLY please", "no_reply", "NOREPLY", "a\nNO_REPLY\nb", "NO_REPLYX"],
)
def test_a_sentence_with_the_word_is_an_answer(text: str) -> None:
    assert read(text, group=True, silent_groups=True) == AgentReply(
        "answer", text, "it is an answer"
    )


@pytest.mark.parametrize("text", ["", " \n", "[[reply_to_current]]"])
def test_an_answer_without_text_is_said_to_be_empty(text: str) -> None:
    for group in (False, True):
        found = read(text, group=group, silent_groups=True)
        assert (found.kind, found.reason) == ("empty", "the agent's answer has no text")


SHOWN = [
    ("", ""),
    ("he", "he"),
    ("hello\nworld ", "hello\nworld"),
    ("[", ""),
    ("[[", ""),
    ("[[reply_to:7", ""),
    (" [[reply_to_current]", ""),
    ("[[reply_to_current]] he", "he"),
    ("[[reply_to_current]] [[audio", ""),
    ("[[" + "x" * 600, "[[" + "x" * 600),
    ("[[other]] x", "[[other]] x"),
    ("[link](a)", "[link](a)"),
    ("[l", "[l"),
    ("NO_RE", ""),
    ("N", ""),
    ("NO_REPLY", ""),
    ("NOW", "NOW"),
    ("hello\nNO_R", "hello"),
    ("hello\nNO", "hello"),
    ("hello\nNO_R\n", "hello"),
    ("hello\n\nNO_R", "hello"),
    ("hello\nN", "hello"),
    ("hello\n**NO_RE", "hello"),
    ("**NO_REPLY*", ""),
    ("hello\nNOW", "hello\nNOW"),
]


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_a_preview_shows_no_tag_and_no_half_of_one(text: str, shown: str) -> None:
    assert shown_so_far(text) == shown


PIECES = st.sampled_from(
    [
        "[[reply_to_current]]",
        "[[reply_to:9]]",
        "[[",
        "]]",
        "NO_REPLY",
        "\n",
        " ",
        "hi",
        "*",
        "[[audio_as_voice]]",
    ]
)
WRITTEN = st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=30)


@given(WRITTEN, st.booleans(), st.booleans(), st.booleans())
def test_every_answer_is_text_or_silence_or_said_to_be_empty(
    text: str, group: bool, silent: bool, files: bool
) -> None:
    found = read(text, group=group, silent_groups=silent, files=files)
    assert found.reason
    assert (found.kind == "answer") is bool(found.text or files)
    assert found.kind != "silent" or (group and silent and "NO_REPLY" in text)
    again = read(found.text, group=group, silent_groups=silent, files=files)
    if not found.text.startswith("[["):
        assert again.text == found.text


@given(WRITTEN)
def test_a_preview_is_part_of_what_the_person_reads_in_the_end(text: str) -> None:
    final = read(text).text
    for end in range(len(text) + 1):
        shown = shown_so_far(text[:end])
        assert "NO_REPLY" not in shown or "NO_REPLY" in final or shown != "NO_REPLY"
        assert not shown.startswith("[[reply_to_current]]")
