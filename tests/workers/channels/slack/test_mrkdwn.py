from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.channels.slack.mrkdwn import (
    ReadText,
    cut,
    cut_plain,
    is_formatted,
    names_emoji,
    read,
    unescape,
)
from workers.text.limits import Text
from workers.text.rendering import render


@pytest.mark.parametrize(
    ("marked", "text", "mentions"),
    [
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c", []),
        ("<@U1> and <@U2|ada>", "@U1 and @ada", ["U1", "U2"]),
        ("<#C1|general> <#C2>", "#general #C2", []),
        ("<!here> <!channel> <!everyone|x>", "@here @channel @everyone", []),
        ("<!subteam^S1|@team>!", "@team!", ["S1"]),
        ("<!date^1392734382^{date_num}|today>", "today", []),
        ("<https://a.example/?a=1&amp;b=2>", "https://a.example/?a=1&b=2", []),
        ("<mailto:x@a.example|x@a.example>", "x@a.example", []),
        ("1 < 2 > 0", "1 < 2 > 0", []),
    ],
)
def test_a_text_is_read_as_people_see_it(marked: str, text: str, mentions: list[str]) -> None:
    found = read(marked)
    assert (found.text, found.mentions) == (text, mentions)
    assert all(name in text for name in found.names.values())


def test_a_link_behind_words_is_kept() -> None:
    found = read("see <https://a.example/x|the &lt;docs&gt;>")
    assert found.text == "see the <docs>"
    assert found.links == [{"text": "the <docs>", "url": "https://a.example/x"}]


@given(st.text(alphabet="aé \n&<>;@#!|lgtmp"))
def test_what_is_escaped_names_nobody_and_reads_as_it_was(text: str) -> None:
    (escaped,) = render(f".{text}.", Text(dialect="mrkdwn"), "plain")
    assert unescape(escaped) == f".{text}."
    assert read(escaped) == ReadText(f".{text}.")


def shown(text: str) -> str:
    """Return what people see of an escaped text that Slack reads as mrkdwn."""
    for mark in ("```", "`", "*", "_", "~"):
        text = re.sub(rf"{re.escape(mark)}(.+?){re.escape(mark)}", r"\1", text, flags=re.DOTALL)
    text = re.sub(r"(?m)^\s*&gt;", "", text)
    text = re.sub(r":([a-z0-9_+-]+):", "(emoji)" if names_emoji(text) else r":\1:", text)
    return read(text).text


@given(st.text(alphabet="a1*_~`>&< :\n+", max_size=40))
def test_what_is_not_formatted_is_shown_as_it_is(text: str) -> None:
    for escaped in render(text, Text(dialect="mrkdwn"), "plain"):
        assert is_formatted(escaped) or shown(escaped) == unescape(escaped)


@pytest.mark.parametrize(
    ("text", "formatted", "emoji"),
    [
        ("snake_case", True, False),
        ("at 10:30:45", False, False),
        ("fine :+1: :smile:", True, True),
        (":100: :1234:", True, True),
        ("a &gt; b", False, False),
        ("a\n &gt; b", True, False),
        ("a\n\n\t&gt; b", True, False),
        (":a1: :1a:", True, True),
        pytest.param(":" + "a" * 100_000, False, False, id="one long word"),
        pytest.param("\n" * 300_000, False, False, id="many empty lines"),
        ("see https://a.example/b:8080 &amp; c", False, False),
    ],
)
def test_what_slack_would_show_otherwise(text: str, formatted: bool, emoji: bool) -> None:
    assert (is_formatted(text), names_emoji(text)) == (formatted, emoji)


@given(st.text(alphabet="ab \n`", max_size=300))
def test_text_without_markup_is_cut_and_nothing_is_added(text: str) -> None:
    pieces = cut_plain(text, 40)
    assert all(0 < len(piece) <= 40 for piece in pieces)
    assert "".join(pieces).replace("\n", "") == text.replace("\n", "")


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("short", ["short"]),
        ("one two three four five six", ["one two three", " four five six"]),
        ("aaaaaa\nbbbbbb\ncccccc\n", ["aaaaaa\nbbbbbb", "cccccc\n"]),
        ("aaaa <https://a|b> ddd eee", ["aaaa", " <https://a|b>", " ddd eee"]),
        ("aaaaaaaaaaaaa&amp;bbbbbbb", ["aaaaaaaaaaaaa", "&amp;bbbbbbb"]),
        (
            "```\naaaa\nbbbb\ncccc\n```",
            ["```\naaaa\nbbbb\n```", "```\ncccc\n```"],
        ),
        ("```\n" + "a" * 30 + "\n```", ["```\n```", "```\n" + "a" * 12 + "\n```"]),
    ],
)
def test_a_long_text_is_cut_where_it_may(text: str, pieces: list[str]) -> None:
    assert cut(text, 20)[: len(pieces)] == pieces


@given(st.text(alphabet="ab \n`<>&;|", max_size=300))
def test_no_piece_is_too_long_and_nothing_is_lost(text: str) -> None:
    pieces = cut(text, 40)
    assert all(len(piece) <= 40 for piece in pieces)
    kept = str.maketrans("", "", "`\n")
    assert "".join(pieces).translate(kept) == text.translate(kept)
