"""Keeps the holds on disk: accounts that an operator stopped stay stopped over restarts.

Separate from the lifecycle, which never knows about files: a hold is on disk before the stop
command is acknowledged, and is read once at the start.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import structlog

from ipc.frames.status import Hold
from ipc.state_file import StateFile

HOLDS = "holds.json"  # in the state directory

log = structlog.get_logger("holds")


class Holds:
    """The manual stops by account key. Where the disk fails they last until the restart."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._warnings: list[str] = []
        self._file = StateFile(path, dict[str, Hold], on_error=self._failed)
        self._held = self._load()

    @property
    def _on_disk(self) -> dict[str, Hold]:
        return self._file.on_disk or {}

    @property
    def warnings(self) -> list[str]:
        """Warnings for the operator: a file that was damaged, holds that are not on disk."""
        held = ", ".join(self.unsaved)
        free = ", ".join(key for key in self._on_disk if key not in self._held)
        return [
            *self._warnings,
            *(
                [f"not on disk, and forgotten at the next start: the hold of {held}"]
                if held
                else []
            ),
            *(
                [f"still on disk, and in force at the next start: the hold of {free}"]
                if free
                else []
            ),
        ]

    @property
    def unsaved(self) -> list[str]:
        """The accounts whose hold is not on disk as it is."""
        return [key for key, hold in self._held.items() if self._on_disk.get(key) != hold]

    def get(self, key: str) -> Hold | None:
        """Return the hold of an account, if it is held."""
        return self._held.get(key)

    def all(self) -> dict[str, Hold]:
        """Return every hold, in the order in which they were made."""
        return dict(self._held)

    def hold_all(self, keys: Iterable[str], reason: str | None = None) -> None:
        """Hold accounts, in memory; a hold keeps its first time. See ``save_soon``."""
        for key in keys:
            old = self._held.get(key)
            at = old.at if old is not None else int(time.time() * 1000)
            kept = reason if reason is not None or old is None else old.reason
            self._held[key] = Hold(at, kept)

    def release_all(self, keys: Iterable[str]) -> None:
        """Forget holds, in memory. See ``save_soon``."""
        for key in keys:
            self._held.pop(key, None)

    def save_soon(self) -> None:
        """Write the holds in a thread; ``saved`` returns whether they are on disk."""
        self._file.save_soon(dict(self._held))

    async def saved(self) -> bool:
        """Wait until all changes so far are on disk; return ``False`` if they are not."""
        return await self._file.saved()

    def write(self) -> bool:
        """Write the holds now; return whether they are on disk. Blocks; needs no event loop."""
        try:
            self._file.write(dict(self._held))
        except OSError as error:
            self._failed(error)
            return False
        return True

    def _failed(self, error: OSError) -> None:
        log.error("holds not written", path=str(self.path), error=str(error))

    def _load(self) -> dict[str, Hold]:
        held = self._file.load()
        damage = self._file.damage
        if damage is not None:
            text = f"{self.path} is damaged ({damage.reason}); kept as {damage.kept}"
            self._warnings.append(f"{text}, all holds are lost")
            log.error(
                "holds are lost", path=str(self.path), kept=str(damage.kept), error=damage.reason
            )
        return dict(held or {})
