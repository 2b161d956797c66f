"""Splits the changelog by versions. Pure."""

from __future__ import annotations

import re

UNRELEASED = "Unreleased"
_HEADING = re.compile(r"^## \[([^\]]+)\].*$", re.MULTILINE)


def versions(text: str) -> dict[str, str]:
    """Return the changelog by version, the newest first."""
    found = list(_HEADING.finditer(text))
    ends = [each.start() for each in found[1:]] + [len(text)]
    return {each[1]: text[each.end() : end].strip() for each, end in zip(found, ends, strict=True)}


def changes(text: str, running: str, installed: str) -> dict[str, str]:
    """Return the changes after the version ``running`` up to ``installed``."""
    low, high = number(running), number(installed)
    return {
        version: what
        for version, what in versions(text).items()
        if version != UNRELEASED and low < number(version) <= high
    }


def number(version: str) -> tuple[int, ...]:
    """Return a version as comparable numbers; other parts of it are ignored."""
    digits = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in digits[0].split(".")) if digits else ()
