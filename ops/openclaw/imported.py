"""Defines the result of an import. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ipc.hidden_fields import hide_fields
from ops.openclaw.draft import Note
from runtime.config.text.json5_edit import render


@hide_fields("text")
class Imported(msgspec.Struct, frozen=True):
    """The result of an import. ``text`` is our file, ``shown`` the same without secrets."""

    source: str
    target: str
    files: list[str]
    notes: list[Note]
    text: str
    shown: dict[str, Any]
    advice: list[str]

    @property
    def shown_text(self) -> str:
        """The text of our file for printing."""
        return render(self.shown)
