"""Shares stored files of messages with the agents that answer them, and the reverse.

A file that an agent needs of an account, or an account of an agent, stands in both stores then,
without a copy: neither process needs to get at the other's directory. Each store removes it by its
own rules.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog
from msgspec.structs import replace

from ipc.media import ABOUT, account_directory, media_id
from workers.agent import TurnOutcome
from workers.messages import Attachment

log = structlog.get_logger("gateway.runs")

GONE = "the file is not kept any more"
MOST_FILES = 100  # of one message


class FileLending:
    """Sharing of stored files by id, below ``state_dir``; without one nothing is shared."""

    def __init__(self, state_dir: Path | None = None) -> None:
        self._state_dir = state_dir

    async def link(
        self, owner: str, reader: str, attachments: Sequence[Attachment]
    ) -> list[Attachment]:
        """Link files of ``owner`` into the store of ``reader`` (both keys); return the attachments.

        One whose file is gone has no address any more, and ``missing`` says so.
        """
        given = list(attachments)
        ids = [found for each in given if (found := media_id(each.url)) is not None]
        if not ids or self._state_dir is None:
            return given
        there = await asyncio.to_thread(
            link_files, self._state_dir, owner, reader, ids[:MOST_FILES]
        )
        return [
            each
            if (found := media_id(each.url)) is None or found in there
            else replace(each, url="", missing=GONE)
            for each in given
        ]

    async def link_answer(self, agent: str, account: str, outcome: TurnOutcome) -> TurnOutcome:
        """Link the files of a turn's answer into the account's store; omit missing ones."""
        final = outcome.final
        if final is None or not final.attachments:
            return outcome
        lent = await self.link(agent, account, final.attachments)
        files = [each for each in lent if each.url]
        if len(files) < len(lent):
            log.warning("files of an answer are gone", agent=agent, account=account)
        return replace(outcome, final=replace(final, attachments=files))


def link_files(state_dir: Path, owner: str, reader: str, ids: Iterable[str]) -> set[str]:
    """Link files of one store into another; return the ids of those that exist.

    It blocks. Links and whatever else is no file are left: the owner may be confined, and hostile.
    """
    source, target = account_directory(state_dir, owner), account_directory(state_dir, reader)
    there: set[str] = set()
    with suppress(OSError):
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        there = {each for each in ids if _link_file(source, target, each)}
    return there


def _link_file(source: Path, target: Path, id: str) -> bool:
    try:
        for name in (id + ABOUT, id):
            with suppress(FileExistsError):
                os.link(source / name, target / name, follow_symlinks=False)
            if not stat.S_ISREG((target / name).lstat().st_mode):
                (target / name).unlink()
                return False
    except OSError:
        return False
    return True
