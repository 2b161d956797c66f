from __future__ import annotations

import html
import time

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.workers.text.samples import (
    HOSTILE,
    LIMITS,
    MARKDOWN,
    UNITS,
    WORDS,
    Read,
    limits,
    words_of,
)
from workers.testing.fakes.discord_text import shown_text
from workers.text.limits import DialectName, Text, Unit
from workers.text.rendering import DIALECTS, render
from workers.text.units import length

TELEGRAM = {"b", "i", "s", "code", "pre", "a", "blockquote"}
BLOCKS = {"p", "br", "hr", "ul", "ol", "li", "table", "tr", "th", "td"}
HTML = TELEGRAM | BLOCKS | {f"h{level}" for level in range(1, 7)}
TAGS: dict[DialectName, set[str]] = {"telegram-html": TELEGRAM, "matrix": HTML, "html": HTML}

CLUSTERS = ["👨\u200d👩\u200d👧", "🇩🇪", "e\u0301", "क्ष", "각", "x"]

reader = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough"])


@given(MARKDOWN, limits())
def test_no_word_is_lost_and_no_limit_exceeded(source: str, text: Text) -> None:
    parts = render(source, text)
    assert all(0 < length(part, text.unit) <= text.limit for part in parts)
    whole = words_of(" ".join(render(source, Text(dialect=text.dialect))))
    assert set(words_of(source)) <= set(whole)
    # A word that is longer than what the marks leave is divided, and only such a one.
    missing = [word for word in words_of(source) if word not in words_of(" ".join(parts))]
    assert not missing or text.limit < 150, missing


@given(HOSTILE, limits())
def test_hostile_markup_exceeds_no_limit_and_keeps_the_letters(source: str, text: Text) -> None:
    parts = render(source, text)
    assert all(0 < length(part, text.unit) <= text.limit for part in parts)
    if text.dialect in TAGS:
        for part in parts:
            assert Read(part).tags <= TAGS[text.dialect]


@given(HOSTILE, UNITS, LIMITS)
def test_plain_text_is_only_divided(source: str, unit: Unit, limit: int) -> None:
    parts = render(source, Text(limit, unit, dialect="telegram-html"), "plain")
    assert "".join("".join(parts).split()) == "".join(source.split())
    assert all(0 < length(part, unit) <= limit for part in parts)
    assert len(parts) <= 1 + 8 * length(source, unit) // limit


@given(
    st.lists(
        st.sampled_from(["👨\u200d👩\u200d👧", "🇩🇪", "e\u0301", "क्ष", "각", "x"]), min_size=40
    ),
    UNITS,
)
def test_no_character_is_split(clusters: list[str], unit: Unit) -> None:
    source = "".join(clusters)
    parts = render(source, Text(64, unit), "plain")
    assert [each for part in parts for each in regex.findall(r"\X", part)] == regex.findall(
        r"\X", source
    )


@given(MARKDOWN, st.integers(300, 600), st.sampled_from(["telegram-html", "html"]))
def test_each_part_is_html_by_itself(source: str, limit: int, dialect: DialectName) -> None:
    whole = [Read(part) for part in render(source, Text(dialect=dialect))]
    parts = [Read(part) for part in render(source, Text(limit, dialect=dialect))]
    text = "".join("".join(part.text for part in whole).split())
    assert "".join("".join(part.text for part in parts).split()) == text
    assert {url for part in whole for url in part.links} == {
        url for part in parts for url in part.links
    }


@given(st.lists(WORDS, min_size=1, max_size=60), st.sampled_from(["discord", "telegram-html"]))
def test_a_fence_is_closed_and_opened_again(code: list[str], dialect: DialectName) -> None:
    lines = ["    " * (number % 3) + line for number, line in enumerate(code)]
    source = "before\n\n```python\n" + "\n".join(lines) + "\n```\n\nafter"
    limit = 120 + max(map(len, lines)) * 6
    parts = render(source, Text(limit, dialect=dialect))
    found: list[str] = []
    for part in parts:
        if dialect == "discord":
            fences = [token for token in reader.parse(part) if token.type == "fence"]
            assert all(token.info == "python" for token in fences)
            found += [token.content.removesuffix("\n") for token in fences]
        else:
            assert "pre" not in Read(part).tags or 'class="language-python"' in part
            found += Read(part).fences
    assert "\n".join(found) == "\n".join(lines)


@given(st.lists(WORDS, min_size=1, max_size=10))
def test_discord_shows_exactly_what_was_written(lines: list[str]) -> None:
    """Discord reads Markdown: what is escaped for it comes out of a parser as it went in."""
    for source in ("\n".join(lines), " * ".join(lines), "_".join(lines), "1) ".join(lines)):
        shown = "\n".join(render(source, Text(2000, dialect="discord"), "markdown"))
        before = Read(reader.render(source)).text
        assert Read(reader.render(shown)).text.split() == before.split()


MARKS = st.lists(
    st.sampled_from(
        [
            *"*_~`|<>[]()#-+\\:.,!&@ \n", "a", "Z9", "1.", "<@7>", "<@U7>", "<!here>", "@everyone",
            "@here", ":smile:", "<t:1:R>", "<:a:1>", "https://x.example/a_b_c*", "<https://y.z/_>",
            "[a](https://b.c)", "```", "||", "&lt;", "&amp;", "-# ", "## ", "> ", ">>> ", "é", "😀",
        ]
    ),
    min_size=1,
    max_size=60,
).map("".join)  # fmt: skip


@given(st.one_of(MARKS, HOSTILE), UNITS, st.integers(64, 200))
@example("](http://a/b)<script>", "chars", 64)
@example("http://a/b:smile: http://a/b<@1>", "chars", 64)
@example(
    "https://a/b*]<t:1:R> http://a/b.:smile: http://a/b';,\\x http://a/b]][c](http://d)",
    "chars",
    64,
)
def test_discord_shows_plain_text_as_it_is(source: str, unit: Unit, limit: int) -> None:
    parts = render(source, Text(limit, unit, dialect="discord"), "plain")
    assert all(0 < length(part, unit) <= limit for part in parts)
    shown = "".join(shown_text(part) for part in parts)
    assert "".join(shown.split()) == "".join(source.split())


@given(st.one_of(MARKS, HOSTILE), UNITS, st.integers(64, 200))
def test_slack_shows_plain_text_as_it_is(source: str, unit: Unit, limit: int) -> None:
    """That the text has no marks the message says; these three characters count in any case."""
    parts = render(source, Text(limit, unit, dialect="mrkdwn"), "plain")
    assert all(0 < length(part, unit) <= limit for part in parts)
    assert not any("<" in part or ">" in part for part in parts)
    assert "".join(html.unescape("".join(parts)).split()) == "".join(source.split())


HOSTILE_RUNS = [
    "[", "![", "*a ", "*", "a**b*c_ ", "> ", "[a](b ", "<a ", "&", "\\", "a](", "~~a ", "a\n",
    "a\n-\n", "[a](http://x)", "`", "<script>", "\u0301", "🏳️‍🌈", "- a\n  - b\n", "# a\n", "```\n",
    "|a|b|\n|-|-|\n|c|d|\n\n", "1. a\n", "[[](", "![a](http://x) ", "a_", "\u202e",
]  # fmt: skip


@pytest.mark.parametrize("run", HOSTILE_RUNS)
def test_hostile_text_takes_bounded_time(run: str, request: pytest.FixtureRequest) -> None:
    size = (64 if request.config.getoption("--full") else 8) * 1024
    source = (run * (size // len(run) + 1))[:size]
    for text in (
        Text(4096, "utf16", dialect="telegram-html"),
        Text(2000, dialect="discord"),
        Text(400, "bytes", dialect="irc"),
    ):
        began = time.process_time()
        parts = render(source, text)
        assert time.process_time() - began < size / 4096  # 250 µs a character: a tenth is normal
        assert all(length(part, text.unit) <= text.limit for part in parts)


def test_every_dialect_is_there() -> None:
    assert set(DIALECTS) == set(DialectName.__args__)  # type: ignore[attr-defined]


def test_a_caption_has_its_own_limit() -> None:
    text = Text(4096, "utf16", 1024)
    assert [len(part) for part in render("x" * 2000, text)] == [2000]
    assert [len(part) for part in render("x" * 2000, text, caption=True)] == [1024, 976]
    assert [len(part) for part in render("x" * 5000, Text(4096), caption=True)] == [4096, 904]


@pytest.mark.parametrize("source", ["", " ", "\n\n\t", "\u00a0"])
def test_of_nothing_nothing_is_sent(source: str) -> None:
    assert render(source, Text(4096)) == []
    assert render(source, Text(4096), "plain") == []


@pytest.mark.parametrize(
    ("count", "limit", "unit", "parts"),
    [
        (4096, 4096, "utf16", 1),
        (4097, 4096, "utf16", 2),
        (2048, 4096, "utf16", 1),
        (1024, 4096, "bytes", 1),
        (1025, 4096, "bytes", 2),
    ],
)
def test_the_limit_is_exact(count: int, limit: int, unit: Unit, parts: int) -> None:
    source = ("😀" if count <= 2048 else "x") * count
    assert len(render(source, Text(limit, unit))) == parts
