"""The public clients: exactly what the documents name."""

from __future__ import annotations

import re
from pathlib import Path

import ipc.client

ROOT = Path(__file__).parents[2]


def documented(name: str) -> set[str]:
    """Return the names of ``ipc.client`` in a document: imported there, or named with it."""
    text = (ROOT / name).read_text()
    imported = re.findall(r"from ipc\.client import ([\w, ]+)", text)
    named = re.findall(r"\bipc\.client\.(\w+)", text)
    return {each.strip() for names in imported for each in names.split(",")} | set(named)


def test_exactly_the_documented_names_are_public() -> None:
    public = set(ipc.client.__all__)
    assert documented("docs/protocol.md") == public
    assert documented("README.md") <= public
    assert all(hasattr(ipc.client, name) for name in public)
    assert {name for name in vars(ipc.client) if name[0].isupper()} == public


def test_no_document_names_the_modules_behind_it() -> None:
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        if path.name != "architecture.md":  # which maps the folders
            assert "ipc.websocket" not in path.read_text(), path.name
