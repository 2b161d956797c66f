"""Protects the stored files of waiting messages, and removes files no longer needed.

An account's store removes the oldest files, by their times on disk: so a file that is needed until
a message expires is given that time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ipc.media import ABOUT, account_directory, media_id
from ipc.nesting import decode_json
from runtime.gateway.journal.outgoing import OutgoingMessage
from workers.messages import Inbound, Outbound


def stored_files(message: Inbound | Outbound) -> list[str]:
    """Return the ids of a message's files in its account's store."""
    found = (media_id(each.url) for each in message.attachments)
    return [each for each in found if each is not None]


def files_of(outgoing: OutgoingMessage) -> list[str]:
    """Return the ids of the stored files of a row whose content is in memory."""
    return stored_files(decode_json(outgoing.message, Outbound))


def protect(state_dir: Path, account: str, ids: Iterable[str], until: float) -> None:
    """Protect files of an account until then (epoch seconds); missing ones are skipped. Blocks.

    A confined account can write what it wants into its directory, so links are not followed.
    """
    place = account_directory(state_dir, account)
    for each in ids:
        for name in (each + ABOUT, each):
            with suppress(OSError):
                path = place / name
                if path.stat(follow_symlinks=False).st_mtime < until:
                    os.utime(path, (until, until), follow_symlinks=False)


def remove_files(state_dir: Path, account: str, ids: Iterable[str]) -> int:
    """Remove stored files of an account; return how many there were.

    Raises ``OSError`` after all if one could not be removed. A directory that a confined account
    has made in the place of a file is none.
    """
    count, failed = 0, None
    for name in set(ids):
        place = account_directory(state_dir, account) / name
        count += place.is_file()
        for path in (place, place.with_name(name + ABOUT)):
            try:
                path.unlink(missing_ok=True)
            except IsADirectoryError:
                continue
            except OSError as error:
                failed = error
    if failed is not None:
        raise failed
    return count
