"""What a person stopped stays stopped: the holds, on disk.

Separate from the lifecycle, which never knows about files: a hold is written by the stop
command before it is acknowledged, and read once at the start.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
import structlog

from ipc.files import write_atomically
from ipc.frames.status import Hold

HOLDS = "holds.json"  # in the state directory

log = structlog.get_logger("holds")


class Holds:
    """The manual stops by account key. Where the disk fails they last until the restart."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._warnings: list[str] = []
        self._held: dict[str, Hold] = self._load()
        self._on_disk = dict(self._held)

    @property
    def warnings(self) -> list[str]:
        """What a person must know: a file that was damaged, holds that are not on disk."""
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

    def hold(self, key: str, reason: str | None = None) -> bool:
        """Hold an account; return whether that is on disk. A hold keeps its first time."""
        return self.hold_all([key], reason)

    def hold_all(self, keys: Iterable[str], reason: str | None = None) -> bool:
        """Hold many accounts with one write."""
        for key in keys:
            old = self._held.get(key)
            at = old.at if old is not None else int(time.time() * 1000)
            kept = reason if reason is not None or old is None else old.reason
            self._held[key] = Hold(at, kept)
        return self._save()

    def release(self, key: str) -> bool:
        """Forget a hold; return whether that is on disk."""
        return self.release_all([key])

    def release_all(self, keys: Iterable[str]) -> bool:
        """Forget many holds with one write."""
        for key in keys:
            self._held.pop(key, None)
        return self._save()

    def _load(self) -> dict[str, Hold]:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._warnings.append(
                f"{self.path} cannot be read: {error.strerror}; holds are unknown"
            )
            return {}
        try:
            return msgspec.json.decode(data, type=dict[str, Hold])
        except msgspec.DecodeError as error:
            return self._quarantine(error)

    def _quarantine(self, error: msgspec.DecodeError) -> dict[str, Hold]:
        """Keep a damaged file for whoever wants to mend it, and say so loudly."""
        aside = self.path.with_name(f"{self.path.name}.damaged-{int(time.time())}")
        try:
            self.path.replace(aside)
        except OSError:
            aside = self.path
        text = f"{self.path} is damaged ({error}); kept as {aside}, all holds are lost"
        self._warnings.append(text)
        log.error("holds are lost", path=str(self.path), kept=str(aside), error=str(error))
        return {}

    def _save(self) -> bool:
        try:
            write_atomically(self.path, msgspec.json.format(msgspec.json.encode(self._held)))
        except OSError as error:
            log.error("holds not written", path=str(self.path), error=str(error))
            return False
        self._on_disk = dict(self._held)
        return True
