"""Compiles operators' patterns such that no text can make matching slow. Pure.

RE2 takes time that grows with the text and not with what the pattern may try
(https://github.com/google/re2/wiki/Syntax); Python's own ``re`` can be kept busy for hours by one
message. The library is loaded where there are patterns: it takes 2.8 MiB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

Matcher = Callable[[str], bool]


def matcher_of(patterns: Iterable[str]) -> Matcher | None:
    """Return a function that finds any of the patterns in a text, ignoring case.

    ``None`` for no patterns. Raises ``ValueError`` for one that RE2 does not take.
    """
    several = list(patterns)
    if not several:
        return None
    import re2

    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        for pattern in several:
            re2.compile(pattern, options)
        found = re2.compile("|".join(f"(?:{pattern})" for pattern in several), options)
    except re2.error as error:
        raise ValueError(_text(error)) from None
    return lambda text: found.search(text) is not None


def _text(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
