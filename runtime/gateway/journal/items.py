"""Defines documents that the journal keeps for other parts of the gateway, by kind and id.

Pure. What they mean is theirs; the journal stores them together with runs, in one record.
"""

from __future__ import annotations

import msgspec

from runtime.gateway.journal.conversations import Session, TranscriptEntry
from runtime.gateway.journal.runs import Run


class KeptItem(msgspec.Struct, frozen=True):
    """A document: its ``kind`` and ``id`` name it, ``value`` is JSON."""

    kind: str
    id: str
    value: bytes


class ItemsChanged(msgspec.Struct, frozen=True):
    """Documents were stored or deleted (kind, id), together with the begin of ``runs``.

    Where the id of a run is known nothing begins, and the documents change all the same. With it
    a ``session`` may get ``entries``; ``changed`` is what it is then.
    """

    key: str
    items: list[KeptItem] = []
    removed: list[tuple[str, str]] = []
    runs: list[Run] = []
    session: str = ""
    entries: list[TranscriptEntry] = []
    changed: Session | None = None
