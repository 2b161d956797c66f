"""Sends previews of answers, and records the platform's message that shows each.

A preview is a row, so that no crash leaves one in a chat that the answer does not replace. It waits
for a moment only, never becomes a dead letter, and clients that follow the account see only the
answer. The row of the answer names it (``edits``): in a chat rows go in their order, so the preview
is over when the answer is tried.
"""

from __future__ import annotations

from collections import OrderedDict

from runtime.gateway.journal.outgoing import OutgoingMessage, OutgoingRow

PREVIEW_MS = 10_000  # what is not shown by then is not shown
MAX_KNOWN = 1_000
_OF_RUN = "run:"


def answer_key(run: str) -> str:
    """Return the key of the row that is a run's answer."""
    return f"{_OF_RUN}{run}"


def answered_run(key: str) -> str | None:
    """Return the id of the run whose answer has this key, ``None`` if it is no answer's."""
    return key.removeprefix(_OF_RUN) if key.startswith(_OF_RUN) else None


def preview_key(run: str) -> str:
    """Return the key of the row that is the preview of a run's answer."""
    return f"{answer_key(run)}/preview"


class ShownPreviews:
    """The platform's ids of an account's previews, by the keys of their rows; "" for none."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, str] = OrderedDict()

    def record(self, key: str, found: OutgoingMessage | OutgoingRow | None) -> None:
        """Record the result of a preview; ``None``: there was none."""
        row = found.row if isinstance(found, OutgoingMessage) else found
        self._ids[key] = row.sent[0].id if row is not None and row.sent else ""
        while len(self._ids) > MAX_KNOWN:
            self._ids.popitem(last=False)

    def is_unknown(self, row: OutgoingRow) -> bool:
        """Return whether only the journal knows which message a row replaces."""
        return bool(row.edits) and row.edits not in self._ids

    def edited_by(self, row: OutgoingRow) -> str:
        """Return the id of the message that a row replaces."""
        return self._ids.get(row.edits, "")
