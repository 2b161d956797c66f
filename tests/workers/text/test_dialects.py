from __future__ import annotations

import pytest

from workers.text.dialects import is_linkable, language_of, mark_lines, prefix_lines


@pytest.mark.parametrize(
    ("url", "linkable"),
    [
        ("https://a.example/b?c=1", True),
        ("HTTP://a", True),
        ("mailto:a@b.example", True),
        ("tel:+123", True),
        ("tg://user?id=1", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("file:///etc/passwd", False),
        ("docs/readme.md", False),
        ("//a.example", False),
        ("https://a b", False),
        ("https://", False),
    ],
)
def test_a_link_leads_where_people_mean_to_go(url: str, linkable: bool) -> None:
    assert is_linkable(url) is linkable


@pytest.mark.parametrize(
    ("info", "language"),
    [
        ("python", "python"),
        (" c++ title=x", "c++"),
        ("", ""),
        ('"><script>', ""),
        ("a" * 99, "a" * 32),
    ],
)
def test_a_language_is_a_plain_name(info: str, language: str) -> None:
    assert language_of(info) == language


def test_marks_stand_at_the_words() -> None:
    assert mark_lines(" a b \n\nc", "*", "*") == " *a b* \n\n*c*"
    assert mark_lines("  ", "*", "*") == "  "


def test_each_line_of_a_quote_is_marked() -> None:
    assert prefix_lines("a\n\nb", "> ") == "> a\n> \n> b"
