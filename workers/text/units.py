"""Measures the length of text in a platform's unit. Pure."""

from __future__ import annotations

from workers.text.limits import Unit


def length(text: str, unit: Unit) -> int:
    """Return the length of ``text``: characters, UTF-16 code units, or bytes of UTF-8.

    A lone surrogate, which no encoding has, counts as it would be written.
    """
    if unit == "chars" or text.isascii():
        return len(text)
    if unit == "utf16":
        return len(text.encode("utf-16-le", "surrogatepass")) // 2
    return len(text.encode("utf-8", "surrogatepass"))
