"""Takes the changelog apart by its versions. Pure."""

from __future__ import annotations

import re

UNRELEASED = "Unreleased"
_HEADING = re.compile(r"^## \[([^\]]+)\].*$", re.MULTILINE)


def versions(text: str) -> dict[str, str]:
    """Return what changed by version, the newest first."""
    found = list(_HEADING.finditer(text))
    ends = [each.start() for each in found[1:]] + [len(text)]
    return {each[1]: text[each.end() : end].strip() for each, end in zip(found, ends, strict=True)}


def changes(text: str, running: str, installed: str) -> dict[str, str]:
    """Return what changed after the version ``running``, up to ``installed``."""
    low, high = number(running), number(installed)
    return {
        version: what
        for version, what in versions(text).items()
        if version != UNRELEASED and low < number(version) <= high
    }


def number(version: str) -> tuple[int, ...]:
    """Return a version in a form that can be compared; what is no number in it counts nothing."""
    digits = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in digits[0].split(".")) if digits else ()
