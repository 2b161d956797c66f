"""Reads the links and the headings of the documents."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md")),
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
]
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]+)?\)")


def prose(page: Path) -> str:
    """Return the text of a page without its blocks of code."""
    return FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as mkdocs and GitHub make them."""
    names = (re.sub(r"[^\w\- ]", "", each).strip().lower() for each in HEADING.findall(prose(page)))
    return {f"#{name.replace(' ', '-')}" for name in names}


def links(page: Path) -> list[tuple[Path, str]]:
    """Return the targets of a page's links: the file, and the anchor or ""."""
    found = LINK.findall(prose(page))
    return [((page.parent / file) if file else page, anchor) for file, anchor in found]
