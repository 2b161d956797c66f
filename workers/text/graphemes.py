"""Finds where text may be cut without dividing a user-perceived character. Pure.

Follows Unicode Standard Annex 29, with general categories in place of its property tables: every
cut that the annex forbids is forbidden here, and in a few scripts some more.
"""

from __future__ import annotations

import unicodedata

ZERO_WIDTH_JOINER = "\u200d"
LONGEST = 64  # characters; a longer cluster is an attack, and is cut

# What continues a character without being a mark: the zero-width non-joiner, vowels of Thai and
# Lao, the halfwidth voiced marks of kana.
_CONTINUES = frozenset("\u200c\u200d\u0e33\u0eb3\uff9e\uff9f")
_PREPENDED = (
    (0x0600, 0x0605), (0x06DD, 0x06DD), (0x070F, 0x070F), (0x0890, 0x0891), (0x08E2, 0x08E2),
    (0x0D4E, 0x0D4E), (0x110BD, 0x110BD), (0x110CD, 0x110CD), (0x111C2, 0x111C3),
    (0x1193F, 0x1193F), (0x11941, 0x11941), (0x11A3A, 0x11A3A), (0x11A84, 0x11A89),
    (0x11D46, 0x11D46), (0x11F02, 0x11F02),
)  # fmt: skip
_VIRAMA = 9  # the combining class of what joins two consonants


def may_cut(text: str, at: int) -> bool:
    """Return whether ``text`` may be cut before index ``at``."""
    if not 0 < at < len(text):
        return True
    before, after = text[at - 1], text[at]
    if before < "\u0300" and after < "\u0300":
        return not (before == "\r" and after == "\n")
    if _continues(after) or before == ZERO_WIDTH_JOINER or _is_prepended(before):
        return False
    if unicodedata.combining(before) == _VIRAMA:
        return not unicodedata.category(after).startswith("L")
    if _is_flag_half(before) and _is_flag_half(after):
        return _flag_halves_before(text, at) % 2 == 0
    return not _is_one_syllable(before, after)


def cut_before(text: str, at: int, floor: int) -> int:
    """Return the last index in ``(floor, at]`` where ``text`` may be cut; ``at`` if there is none.

    Looks back at most the length of one such character.
    """
    lowest = max(floor, at - LONGEST)
    for index in range(at, lowest, -1):
        if may_cut(text, index):
            return index
    return at


def _continues(char: str) -> bool:
    return (
        char in _CONTINUES
        or unicodedata.category(char).startswith("M")
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # tones of skin
        or "\U000e0020" <= char <= "\U000e007f"  # tags of a flag
    )


def _is_prepended(char: str) -> bool:
    point = ord(char)
    return any(first <= point <= last for first, last in _PREPENDED)


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _flag_halves_before(text: str, at: int) -> int:
    """Count the flag halves that end before ``at``; an even number is whole flags."""
    first = at
    while first > max(0, at - LONGEST) and _is_flag_half(text[first - 1]):
        first -= 1
    return at - first


def _is_one_syllable(before: str, after: str) -> bool:
    """Return whether two letters of Hangul belong to one syllable."""
    first, second = _hangul(before), _hangul(after)
    return (
        (first == "L" and second in ("L", "V", "LV", "LVT"))
        or (first in ("LV", "V") and second in ("V", "T"))
        or (first in ("LVT", "T") and second == "T")
    )


def _hangul(char: str) -> str:
    point = ord(char)
    if 0x1100 <= point <= 0x115F or 0xA960 <= point <= 0xA97C:
        return "L"
    if 0x1160 <= point <= 0x11A7 or 0xD7B0 <= point <= 0xD7C6:
        return "V"
    if 0x11A8 <= point <= 0x11FF or 0xD7CB <= point <= 0xD7FB:
        return "T"
    if 0xAC00 <= point <= 0xD7A3:
        return "LV" if (point - 0xAC00) % 28 == 0 else "LVT"
    return ""
