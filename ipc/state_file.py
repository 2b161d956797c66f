"""Keeps one value in a file: read at the start, saved off the event loop.

Separate from ``ipc.files``, which works without an event loop and before ``asyncio`` is imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from ipc.files import PRIVATE, read_regular, set_aside, write_atomically
from ipc.nesting import MALFORMED, decode_json

T = TypeVar("T")


class Damage(msgspec.Struct, frozen=True):
    """The reason why a state file could not be used, and its present path."""

    reason: str
    kept: Path


class StateFile(Generic[T]):
    """A JSON value in a private file: read at the start, rewritten after each change.

    ``save`` encodes on the event loop and writes in a thread, one write for all changes that
    were made during the one before. ``on_disk`` is the value of the last read or write that
    succeeded (the object that was given, so give a copy where the difference matters),
    ``damage`` why ``load`` found no value in an existing file. ``on_error`` is called with
    the ``OSError`` of each write that fails; the value is written with the next change.
    """

    def __init__(
        self,
        path: Path,
        type: type[T],
        *,
        on_error: Callable[[OSError], None] | None = None,
    ) -> None:
        self.path = path
        self.on_disk: T | None = None
        self.damage: Damage | None = None
        self._type = type
        self._on_error = on_error
        self._latest: T | None = None
        self._changes = 0  # made so far
        self._tried = self._saved = 0  # of them, those whose write has ended, and succeeded
        self._progress: asyncio.Event | None = None
        self._writer: asyncio.Task[None] | None = None

    def load(self) -> T | None:
        """Read the file; return ``None`` if it is missing or damaged. Blocks.

        A file that cannot be read or decoded is set aside (see ``damage``). The mode of a file that
        others may read is corrected.
        """
        try:
            return self.read()
        except OSError as error:
            self.set_aside(f"cannot be read: {error.strerror or error}")
            return None

    def read(self) -> T | None:
        """Read the file like ``load``, but raise ``OSError`` if it cannot be read."""
        self.damage = None
        try:
            data = read_regular(self.path)
            if stat.S_IMODE(self.path.stat().st_mode) != PRIVATE:
                with contextlib.suppress(PermissionError):  # another user's: the next write is ours
                    self.path.chmod(PRIVATE)
        except FileNotFoundError:
            return None
        try:
            self.on_disk = decode_json(data, self._type)
        except MALFORMED as error:
            self.set_aside(str(error))
            return None
        return self.on_disk

    def set_aside(self, reason: str) -> None:
        """Rename the file, whose contents are unusable for ``reason``, and note the damage."""
        self.on_disk = None
        self.damage = Damage(reason, set_aside(self.path))

    def write(self, value: T) -> None:
        """Write ``value`` now. Blocks; raises ``OSError``."""
        write_atomically(self.path, encode(value))
        self.on_disk = value

    def save_soon(self, value: T) -> None:
        """Write ``value`` in a thread, after a running write; see ``saved``."""
        self._latest = value
        self._changes += 1
        if self._writer is None:
            self._progress = asyncio.Event()
            self._writer = asyncio.create_task(self._write_changes(), name=f"save {self.path}")

    async def wait_saved(self) -> bool:
        """Wait until all changes made so far are on disk; return ``False`` if they are not.

        A change that was replaced by a later one counts as that one.
        """
        changes = self._changes
        while self._tried < changes:
            assert self._progress is not None
            await self._progress.wait()
        return self._saved >= changes

    async def save(self, value: T) -> bool:
        """Write ``value`` in a thread; return whether it is on disk."""
        self.save_soon(value)
        return await self.wait_saved()

    async def _write_changes(self) -> None:
        try:
            while self._tried < self._changes:
                await self._write_latest()
        finally:
            self._writer = None

    async def _write_latest(self) -> None:
        changes, value = self._changes, self._latest
        try:
            data = encode(value)  # on the loop: no thread reads a value that may change
            await asyncio.to_thread(write_atomically, self.path, data)
        except OSError as error:
            if self._on_error is not None:
                self._on_error(error)
        else:
            self.on_disk, self._saved = value, changes
        finally:
            self._tried = changes
            progress, self._progress = self._progress, asyncio.Event()
            assert progress is not None
            progress.set()


def encode(value: object) -> bytes:
    """Encode a value as the JSON text of a state file, indented for people."""
    return msgspec.json.format(msgspec.json.encode(value))
