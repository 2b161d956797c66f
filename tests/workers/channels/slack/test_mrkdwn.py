from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.channels.slack.mrkdwn import ReadText, cut, escape, read, unescape


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
    assert read(marked) == ReadText(text, mentions)


def test_a_link_behind_words_is_kept() -> None:
    found = read("see <https://a.example/x|the &lt;docs&gt;>")
    assert found.text == "see the <docs>"
    assert found.links == [{"text": "the <docs>", "url": "https://a.example/x"}]


@given(st.text(alphabet="aé \n&<>;@#!|lgtmp"))
def test_what_is_escaped_names_nobody_and_reads_as_it_was(text: str) -> None:
    assert unescape(escape(text)) == text
    assert read(escape(text)) == ReadText(text)


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
