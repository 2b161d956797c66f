from __future__ import annotations

import pytest

from workers.text.html_dialects import HTML, TELEGRAM_HTML
from workers.text.markdown import MOST_BRACKETS, document_of
from workers.text.marker_dialects import DISCORD, PLAIN


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("**a** *b* `c` ~~d~~", "a b c d"),
        ("a\nb  \nc", "a\nb\nc"),
        ("# a\nb\n\nc", "a\n\nb\n\nc"),
        ("- a\n- b\n  c\n\nd", "• a\n• b\n  c\n\nd"),
        ("- a\n  - b\n- c", "• a\n  • b\n• c"),
        ("3. a\n4. b", "3. a\n4. b"),
        ("> a\n>\n> b", "a\n\nb"),
        ("a\n\n---\n\nb", "a\n\n———\n\nb"),
        ("```py\n  a\n\n  b\n```\nc", "  a\n\n  b\n\nc"),
        ("[a](http://b)", "a (http://b)"),
        ("<http://b>", "http://b"),
        ("[http://b](http://b)", "http://b"),
        ("[](http://b)", "http://b"),
        ("![a](http://b)", "a (http://b)"),
        ("![](http://b)", "http://b"),
        ("[![a](http://b)](http://c)", "a (http://b) (http://c)"),
        ("[a](javascript:b)", "[a](javascript:b)"),
        ("[a]: http://b\n\n[a]", "[a]: http://b\n\n[a]"),
        ("<div>\na\n</div>", "<div>\na\n</div>"),
        ("&lt;a&gt; \\*b\\*", "<a> *b*"),
        ("|a|b|\n|-|-|\n|c|**d**|", "a | b\n--+--\nc | d"),
        ("|a|b|\n|-|-|\n|c|d|e|", "|a|b|\n|-|-|\n|c|d|e|"),
        ("**a", "**a"),
        ("", ""),
    ],
)
def test_every_character_that_is_no_mark_is_kept(source: str, text: str) -> None:
    assert document_of(source, PLAIN).text == text


def test_a_link_is_an_element_where_the_dialect_has_links() -> None:
    (paragraph,) = document_of("a [b](https://c)", TELEGRAM_HTML).root.children
    (link,) = paragraph.children
    assert (link.kind, link.start, link.end, link.value) == ("link", 2, 3, "https://c")


def test_a_link_whose_address_leaves_no_room_is_written_out() -> None:
    source = f"[b](https://c/{'x' * 100})"
    assert document_of(source, TELEGRAM_HTML, longest_link=200).text == "b"
    assert document_of(source, TELEGRAM_HTML, longest_link=100).text.startswith("b (https://c/x")


def test_an_address_as_label_is_left_to_platforms_that_find_it() -> None:
    for source in ("<https://c>", "[https://c](https://c)"):
        assert document_of(source, DISCORD).root.children[0].children[0].kind == "url"
        assert document_of(source, HTML).root.children[0].children[0].kind == "link"


def test_lists_and_tables_are_elements_where_the_dialect_has_them() -> None:
    document = document_of("1. a\n2. b\n\n|c|d|\n|-|-|\n||e|", HTML)
    ordered, table = document.root.children
    assert [(item.kind, item.value) for item in ordered.children] == [("li", "1"), ("li", "2")]
    assert [[cell.kind for cell in row.children] for row in table.children] == [
        ["head", "head"],
        ["cell", "cell"],
    ]


def test_a_text_of_brackets_has_no_links() -> None:
    assert document_of("[" * (MOST_BRACKETS + 1) + "[a](http://b)", PLAIN).text.endswith(
        "[[a](http://b)"
    )
