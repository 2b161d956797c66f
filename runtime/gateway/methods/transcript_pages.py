"""Reads the entries of transcripts that fit on a page, for few requests at the same time.

A page may have megabytes, and takes a multiple of that until it is written. Of several requests of
one client each begins after the one before, and none begins once the client is gone.
"""

from __future__ import annotations

from ipc.errors import PeerGone
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.conversations.history_views import MAX_PAGE, shown_size
from runtime.gateway.journal.conversations import Session, TranscriptEntry
from runtime.gateway.journal.interface import Journal
from runtime.gateway.parts import GatewayParts

SLICE = 32  # entries that are read at once; the longest are of 256 Ki characters


async def newest_entries(
    parts: GatewayParts, client: ConnectedClient, session: Session, limit: int, offset: int = 0
) -> list[TranscriptEntry]:
    """Return entries since the session's last reset that end ``offset`` before the newest.

    They are ``limit`` at most, and not many more than fit on a page. Make the page at once: the
    next one is read then. Raises ``PeerGone``.
    """
    journal = await parts.asking.journal()
    async with parts.pages:
        if client.gone:
            raise PeerGone("the client", maybe_executed=False)
        return await _page(journal, session, limit, offset)


async def _page(
    journal: Journal, session: Session, limit: int, offset: int
) -> list[TranscriptEntry]:
    found: list[TranscriptEntry] = []
    before: int | None = None
    size = 0
    while len(found) < limit and size <= MAX_PAGE:
        part = await journal.entries(session.key, SLICE, before=before)
        left = [each for each in part if each.number > session.since]
        if left:
            before = left[0].number
            kept = left[: max(len(left) - offset, 0)]
            offset -= len(left) - len(kept)
            found = kept + found
            size += sum(map(shown_size, kept))
        if len(left) < SLICE:
            break
    return found[-limit:]
