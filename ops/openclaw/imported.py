"""Defines what an import makes. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ops.openclaw.draft import Note
from runtime.config.text.json5_edit import render


class Imported(msgspec.Struct, frozen=True):
    """What an import makes. ``text`` is our file, ``shown`` the same without its secrets."""

    source: str
    target: str
    files: list[str]
    notes: list[Note]
    text: str
    shown: dict[str, Any]
    advice: list[str]

    @property
    def shown_text(self) -> str:
        """Our file as it is printed."""
        return render(self.shown)
