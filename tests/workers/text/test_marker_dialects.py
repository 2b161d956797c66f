from __future__ import annotations

import pytest

from workers.text.marker_dialects import DISCORD, IRC, MRKDWN, PLAIN, WHATSAPP


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("2 * 3 * 4", r"2 \* 3 \* 4"),
        ("snake_case", r"snake\_case"),
        ("a|b `c` ~d~ \\", r"a\|b \`c\` \~d\~ " + "\\\\"),
        ("# no heading", r"\# no heading"),
        ("#hashtag", "#hashtag"),
        ("> no quote\n- no item\n-# no note", "\\> no quote\n\\- no item\n\\-# no note"),
        ("1. no item\n12) nor this", "1\\. no item\n12\\) nor this"),
        ("1.5 a - b", "1.5 a - b"),
        ("https://a.example/b_c*d", "https://a.example/b_c*d"),
        ("[a](b) [c]", r"[a\](b) [c]"),
    ],
)
def test_discord_has_an_escape(text: str, escaped: str) -> None:
    assert DISCORD.escape(text, "line", line_start=True) == escaped


def test_the_middle_of_a_line_is_no_start() -> None:
    assert DISCORD.escape("# a\n# b", "line", line_start=False) == "# a\n\\# b"
    assert DISCORD.escape("- a", "line", line_start=False) == "- a"


def test_code_is_not_escaped_by_backslashes() -> None:
    assert DISCORD.escape("a*b", "code", line_start=True) == "a*b"
    assert DISCORD.wrap("code", "", "a`b") == "`` a`b ``"
    assert MRKDWN.wrap("code", "", "a`b") == "a`b", "nothing of Slack's can hold it"
    assert PLAIN.wrap("code", "", "a`b") == "a`b"


def test_no_text_ends_its_fence() -> None:
    for dialect in (DISCORD, MRKDWN, WHATSAPP):
        assert dialect.wrap("pre", "", "a\n```\nb").count("```") == 2
    assert DISCORD.wrap("pre", "py", "x") == "```py\nx\n```"
    assert MRKDWN.wrap("pre", "py", "x") == "```\nx\n```"
    assert PLAIN.wrap("pre", "py", "x") == "x"


def test_slack_reads_three_characters() -> None:
    assert MRKDWN.escape("<!channel> & <@U1>", "line", line_start=True) == (
        "&lt;!channel&gt; &amp; &lt;@U1&gt;"
    )
    assert MRKDWN.wrap("link", "https://a/?b=1&c=2|<", "x\ny") == (
        "<https://a/?b=1&amp;c=2%7C%3C|x y>"
    )


def test_a_link_of_discord_ends_where_it_should() -> None:
    assert DISCORD.wrap("link", "https://a/(b)", "x") == "[x](https://a/%28b%29)"
    assert not WHATSAPP.links("https://a/b")
    assert not DISCORD.links("docs/a.md")


def test_irc_marks_each_line_and_takes_no_codes_from_the_text() -> None:
    assert IRC.wrap("strong", "", "a\nb") == "\x02a\x02\n\x02b\x02"
    assert IRC.escape("a\x0304red\x0f\tb\n\x02", "line", line_start=True) == "a04red\tb\n"


def test_headings_of_discord_have_three_levels() -> None:
    assert DISCORD.wrap("heading", "5", "a\nb") == "### a b"
