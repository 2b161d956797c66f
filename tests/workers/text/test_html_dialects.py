from __future__ import annotations

import pytest

from workers.text.document import Kind
from workers.text.html_dialects import HTML, TELEGRAM_HTML


def test_markup_characters_in_a_text_are_escaped() -> None:
    for dialect in (HTML, TELEGRAM_HTML):
        assert dialect.escape("<b>&amp;", "line", line_start=True) == "&lt;b&gt;&amp;amp;"


def test_an_address_stays_in_its_attribute() -> None:
    assert (
        HTML.wrap("link", 'https://a/?b=1&c="><i>', "x")
        == '<a href="https://a/?b=1&amp;c=&quot;&gt;&lt;i&gt;">x</a>'
    )


@pytest.mark.parametrize(
    ("kind", "value", "html", "telegram"),
    [
        ("strong", "", "<b>x</b>", "<b>x</b>"),
        ("em", "", "<i>x</i>", "<i>x</i>"),
        ("strike", "", "<s>x</s>", "<s>x</s>"),
        ("code", "", "<code>x</code>", "<code>x</code>"),
        ("quote", "", "<blockquote>x</blockquote>", "<blockquote>x</blockquote>"),
        ("pre", "", "<pre><code>x</code></pre>", "<pre>x</pre>"),
        (
            "pre",
            "py",
            '<pre><code class="language-py">x</code></pre>',
            '<pre><code class="language-py">x</code></pre>',
        ),
        ("paragraph", "", "<p>x</p>", "x"),
        ("heading", "2", "<h2>x</h2>", "x"),
        ("ol", "1", "<ol>x</ol>", "x"),
        ("ol", "7", '<ol start="7">x</ol>', "x"),
        ("li", "7", "<li>x</li>", "x"),
        ("rule", "", "<hr>", "x"),
        ("line", "", "x", "x"),
    ],
)
def test_telegram_knows_few_tags(kind: Kind, value: str, html: str, telegram: str) -> None:
    assert HTML.wrap(kind, value, "x") == html
    assert TELEGRAM_HTML.wrap(kind, value, "x") == telegram


def test_a_line_break_is_a_tag_only_where_there_are_blocks() -> None:
    assert HTML.escape("a\nb", "line", line_start=True) == "a<br>\nb"
    assert HTML.escape("a\nb", "pre", line_start=True) == "a\nb"
    assert HTML.escape("\n\n", "root", line_start=True) == "\n", "a gap between blocks"
    assert TELEGRAM_HTML.escape("a\nb", "root", line_start=True) == "a\nb"
