"""Markdown for property tests: what models write, what nobody should, and how it is read back."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import strategies as st

from workers.text.limits import Text, Unit

WORD = st.integers(min_value=100, max_value=99999).map(lambda number: f"w{number}")
SCRIPTS = st.sampled_from(
    [
        "école",
        "straße",
        "漢字仮名",
        "😀😀",
        "👨\u200d👩\u200d👧",
        "שלום",
        "\u202eמרחבא",
        "e\u0301e\u0301",
        "<b>",
        "a&b",
        "x<y",
    ]
)
WORDS = st.lists(st.one_of(WORD, WORD, SCRIPTS), min_size=1, max_size=20).map(" ".join)
URL = WORD.map(lambda word: f"https://host.example/{word}?a=1&b=2")


def _around(mark: str) -> st.SearchStrategy[str]:
    return WORDS.map(lambda words: f"{mark}{words}{mark}")


INLINE = st.one_of(
    WORDS,
    _around("**"),
    _around("*"),
    _around("~~"),
    _around("`"),
    st.tuples(WORDS, URL).map(lambda pair: f"[{pair[0]}]({pair[1]})"),
    URL.map(lambda url: f"<{url}>"),
)
LINE = st.lists(INLINE, min_size=1, max_size=3).map(" ".join)
FENCE = st.tuples(st.sampled_from(["", "python", "c++"]), st.lists(WORDS, min_size=1, max_size=12))
BLOCK = st.one_of(
    LINE,
    st.lists(LINE, min_size=1, max_size=4).map("\n".join),
    LINE.map(lambda line: f"## {line}"),
    st.lists(LINE, min_size=1, max_size=3).map(lambda lines: "\n".join(f"- {x}" for x in lines)),
    st.lists(LINE, min_size=1, max_size=3).map(lambda lines: "\n".join(f"3. {x}" for x in lines)),
    st.lists(LINE, min_size=1, max_size=3).map(lambda lines: "\n".join(f"> {x}" for x in lines)),
    FENCE.map(lambda pair: "```" + pair[0] + "\n" + "\n".join(pair[1]) + "\n```"),
    st.tuples(WORD, WORD, WORD, WORDS).map(
        lambda cells: f"| {cells[0]} | {cells[1]} |\n|---|---|\n| {cells[2]} | {cells[3]} |"
    ),
)
MARKDOWN = st.lists(BLOCK, min_size=1, max_size=4).map("\n\n".join)

PIECES = st.sampled_from(
    [
        "*", "**", "_", "`", "```", "~~", "[", "](", "](http://a/b)", ")", "!", "<script>", "</a>",
        "<", ">", "&", "&amp;", "\\", "|", "#", "\n", "\n\n", "\n> ", "\n- ", "\n1. ", "    ", "\t",
        " ", "a", "word", "\u202e", "😀", "e\u0301", "\u200d", "\n|a|b|\n|-|-|\n", "\n```\n",
        "\n---\n",
    ]
)  # fmt: skip
HOSTILE = st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=50).map("".join)

UNITS = st.sampled_from(list(Unit.__args__))  # type: ignore[attr-defined]
LIMITS = st.integers(min_value=64, max_value=600)


@st.composite
def limits(draw: st.DrawFn) -> Text:
    dialects = ["plain", "telegram-html", "mrkdwn", "discord", "whatsapp", "matrix", "irc", "html"]
    return Text(draw(LIMITS), draw(UNITS), 0, draw(st.sampled_from(dialects)))


def words_of(text: str) -> list[str]:
    """Return the numbered words, which no dialect changes, in their order."""
    return re.findall(r"(?<![A-Za-z0-9])w\d{3,5}(?![A-Za-z0-9])", text)


class Read(HTMLParser):
    """What a browser reads; refuses tags that are not closed in order."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.fences: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag in ("br", "hr"):
            return
        self._open.append(tag)
        if tag == "pre":
            self.fences.append("")
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.text += data
        if "pre" in self._open:
            self.fences[-1] += data
