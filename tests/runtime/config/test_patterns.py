"""Patterns that operators write, and texts that strangers write."""

from __future__ import annotations

import time

import pytest

from runtime.config.patterns import matcher_of


@pytest.mark.parametrize(
    ("patterns", "text", "found"),
    [
        (["bot"], "hey BOT!", True),
        (["bot"], "hey", False),
        ([r"\bbot\b"], "robots", False),
        (["^!", "bot"], "!help", True),
        (["^!", "bot"], "help!", False),
        (["a|b", "c"], "xcx", True),
        (["größe"], "GRÖSSE", False),
        (["größe"], "GRÖßE", True),
    ],
)
def test_any_of_them_is_found_whatever_the_case(
    patterns: list[str], text: str, found: bool
) -> None:
    matcher = matcher_of(patterns)
    assert matcher is not None
    assert matcher(text) is found


def test_without_patterns_there_is_nothing_to_ask() -> None:
    assert matcher_of([]) is None


@pytest.mark.parametrize("pattern", ["(", "(?=x)", r"(a)\1", "[z-a]", "a{2000}"])
def test_what_is_none_is_refused_with_what_is_wrong(pattern: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        matcher_of(["fine", pattern])
    assert "b'" not in str(caught.value)


def test_no_text_keeps_a_pattern_busy() -> None:
    """Python's own engine takes more than the age of the universe for this one."""
    matcher = matcher_of(["(a+)+$"])
    assert matcher is not None
    began = time.process_time()
    assert not matcher("a" * 200_000 + "b")
    assert time.process_time() - began < 5
