"""Keeps the files of one account on disk: written atomically, limited in total size and age.

A file is written under another name and renamed when all of it is on the disk, so that a message
that names it can never be safe before it. What a worker leaves behind that was killed meanwhile
is removed at the next start. All functions block; the store calls them on a thread.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path

import msgspec

from ipc.media import ABOUT, MediaAbout, is_body_name, is_media_id
from ipc.nesting import MALFORMED, decode_json
from workers.errors import MediaFailed

BLOCK = 4096  # bytes that even the smallest file counts for
# A file younger than this is never removed for the quota: a message that waits may name it.
PROTECTED_SECONDS = 3600.0
BODY_SECONDS = 3600.0  # for which a request is answered, at the very most
PARTIAL = re.compile(r"\.[0-9a-f]{32}\.part\Z")
MAX_ABOUT_BYTES = 4096


class NoRoom(MediaFailed):
    """A file was not stored because the disk or the quota is full; later ones will fail too."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="unavailable")


class KeptFile(msgspec.Struct, frozen=True):
    """A file in the directory; ``since`` is when its time to live began (epoch seconds)."""

    id: str
    cost: int
    since: float


class MediaDirectory:
    """The files below ``place``: ``quota`` bytes in all, each for ``ttl`` seconds.

    ``used`` counts bytes in blocks, those that are being written too.
    """

    def __init__(self, place: Path, quota: int, ttl: float) -> None:
        self.place = place
        self.quota = quota
        self.ttl = ttl
        self.used = 0
        self._lock = threading.Lock()
        self._prepared = False

    def prepare(self) -> None:
        """Create the directory; remove partial and expired files, once. Raises ``OSError``."""
        with self._lock:
            if self._prepared:
                return
            self.place.mkdir(mode=0o700, parents=True, exist_ok=True)
            for entry in list(os.scandir(self.place)):
                orphan = entry.name.removesuffix(ABOUT)
                if PARTIAL.match(entry.name) or (
                    orphan != entry.name
                    and is_media_id(orphan)
                    and not (self.place / orphan).exists()
                ):
                    os.unlink(entry)
            self.used = sum(each.cost for each in self.files())
            self._prepared = True
        self.sweep()

    def files(self) -> Iterator[KeptFile]:
        """Yield every complete file."""
        for entry in os.scandir(self.place):
            if is_media_id(entry.name) and entry.is_file(follow_symlinks=False):
                found = entry.stat(follow_symlinks=False)
                yield KeptFile(entry.name, _cost(found.st_size), found.st_mtime)

    def sweep(self) -> int:
        """Remove the expired files; return how many."""
        with self._lock:
            self._remove_bodies()
            old = time.time() - self.ttl
            return self._remove([each for each in self.files() if each.since < old])

    def _remove_bodies(self) -> None:
        """Remove the request bodies that a killed gateway has left behind."""
        old = time.time() - BODY_SECONDS
        for entry in list(os.scandir(self.place)):
            if is_body_name(entry.name) and entry.stat(follow_symlinks=False).st_mtime < old:
                Path(entry).unlink(missing_ok=True)

    def create(self) -> tuple[str, int]:
        """Return a new id and the descriptor of its partial file. Raises ``NoRoom``."""
        made = secrets.token_hex(16)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return made, os.open(self._partial(made), flags, 0o600)
        except OSError as error:
            raise failure_of(error) from None

    def reserve(self, size: int) -> None:
        """Reserve ``size`` bytes; the oldest files are removed for it. Raises ``NoRoom``."""
        with self._lock:
            if self.used + size > self.quota:
                self._make_room(self.used + size - self.quota)
            self.used += size

    def release(self, size: int) -> None:
        """Release ``size`` reserved bytes, of a file that was not finished."""
        with self._lock:
            self.used -= size

    def write(self, fd: int, data: bytes | bytearray) -> None:
        """Write all of ``data``. Raises ``NoRoom``."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(fd, rest) :]
        except OSError as error:
            raise failure_of(error) from None

    def finish(self, id: str, fd: int, about: MediaAbout, size: int) -> None:
        """Make a file durable and visible under its id; ``size`` bytes were reserved for it.

        Raises ``NoRoom``, and then the reservation remains.
        """
        try:
            os.fsync(fd)
            self._write_about(id, about)
            os.rename(self._partial(id), self.place / id)
            directory = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            self._unlink(id)
            raise failure_of(error) from None
        with self._lock:
            self.used += _cost(size) - size

    def discard(self, id: str) -> None:
        """Remove a partial file."""
        self._partial(id).unlink(missing_ok=True)

    def retain(self, id: str, seconds: float) -> None:
        """Keep a file for at least ``seconds`` more; one that is gone is ignored."""
        until = time.time() + seconds - PROTECTED_SECONDS
        with suppress(OSError), self._lock:
            path = self.place / id
            if path.stat(follow_symlinks=False).st_mtime < until:
                os.utime(path, (until, until), follow_symlinks=False)

    def remove(self, id: str) -> None:
        """Remove a complete file, if it exists."""
        with self._lock:
            self._remove([each for each in self.files() if each.id == id])

    def open(self, id: str) -> tuple[int, MediaAbout]:
        """Return a descriptor and the description of a file. Raises ``MediaFailed``."""
        try:
            fd = os.open(self.place / id, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise MediaFailed(
                f"media:{id} is not there (any more): files are kept for"
                f" {self.ttl / 86_400:g} days (media.ttlDays)",
                reason="not_found",
            ) from None
        except OSError as error:
            raise failure_of(error) from None
        return fd, about_of(self.place, id)

    def _make_room(self, needed: int) -> None:
        protected = time.time() - PROTECTED_SECONDS
        kept = [each for each in self.files() if each.since < protected]
        going: list[KeptFile] = []
        for each in sorted(kept, key=lambda each: each.since):
            if needed <= 0:
                break
            going.append(each)
            needed -= each.cost
        if needed > 0:
            raise NoRoom(
                f"the account's files take {self.quota >> 20} MiB, as many as media.quotaBytes"
                " allows, and none is old enough to go; raise it"
            )
        self._remove(going)

    def _remove(self, files: list[KeptFile]) -> int:
        for each in files:
            self._unlink(each.id)
            self.used -= each.cost
        return len(files)

    def _unlink(self, id: str) -> None:
        for name in (id, id + ABOUT):
            (self.place / name).unlink(missing_ok=True)

    def _write_about(self, id: str, about: MediaAbout) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(self.place / (id + ABOUT), flags, 0o600)
        try:
            os.write(fd, msgspec.json.encode(about))
            os.fsync(fd)
        finally:
            os.close(fd)

    def _partial(self, id: str) -> Path:
        return self.place / f".{id}.part"


def about_of(place: Path, id: str) -> MediaAbout:
    """Return the description of a file; an empty one if it is missing or damaged."""
    try:
        fd = os.open(place / (id + ABOUT), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            return decode_json(os.read(fd, MAX_ABOUT_BYTES), MediaAbout)
        finally:
            os.close(fd)
    except (OSError, *MALFORMED):
        return MediaAbout()


def failure_of(error: OSError) -> NoRoom:
    """Return the error for a file that could not be stored because of the disk."""
    if error.errno in (ENOSPC, EDQUOT):
        return NoRoom("no space is left on the disk for files")
    return NoRoom(f"the disk failed: {error.strerror}")


def _cost(size: int) -> int:
    return -(-max(size, 1) // BLOCK) * BLOCK
