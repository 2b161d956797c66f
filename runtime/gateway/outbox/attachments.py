"""Keeps the stored files of messages that wait to be sent from being expired or evicted.

An account's store removes the oldest files, by their times on disk: so a file that is needed until
a message expires is given that time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ipc.media import ABOUT, account_directory, media_id
from workers.messages import Outbound


def stored_files(message: Outbound) -> list[str]:
    """Return the ids of the files that a message takes from its account's store."""
    found = (media_id(each.url) for each in message.attachments)
    return [each for each in found if each is not None]


def protect(state_dir: Path, account: str, ids: Iterable[str], until: float) -> None:
    """Keep files of an account until then, epoch seconds; one that is gone is not. It blocks.

    A confined account can write what it wants into its directory, so links are not followed.
    """
    place = account_directory(state_dir, account)
    for each in ids:
        for name in (each + ABOUT, each):
            with suppress(OSError):
                path = place / name
                if path.stat(follow_symlinks=False).st_mtime < until:
                    os.utime(path, (until, until), follow_symlinks=False)
